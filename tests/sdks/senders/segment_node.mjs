// Makes the calls that it is told with @segment/analytics-node: `node segment_node.mjs JOB`.
import { Analytics } from "@segment/analytics-node";

const job = JSON.parse(process.argv[2]);
const client = new Analytics({ writeKey: job.key, host: job.url });
for (const { call, user_id: userId, at, ...rest } of job.calls)
  client[call]({ userId, timestamp: at && new Date(at), ...rest });
await client.closeAndFlush({ timeout: 60_000 });
