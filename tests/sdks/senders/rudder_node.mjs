// Makes the calls that it is told with @rudderstack/rudder-sdk-node: `node rudder_node.mjs JOB`.
import Analytics from "@rudderstack/rudder-sdk-node";

const job = JSON.parse(process.argv[2]);
// Without a handler a refusal is an unhandled rejection, which ends the process.
const client = new Analytics(job.key, { dataPlaneUrl: job.url, errorHandler: console.error });
for (const { call, user_id: userId, at, ...rest } of job.calls)
  client[call]({ userId, ...(at && { timestamp: new Date(at) }), ...rest });
await client.flush();
