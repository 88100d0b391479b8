// Makes the calls that it is told with posthog-node: `node posthog_node.mjs JOB`.
import { PostHog } from "posthog-node";

const job = JSON.parse(process.argv[2]);
const client = new PostHog(job.key, { host: job.url });
for (const { call, user_id: distinctId, at, event, traits, properties } of job.calls) {
  const timestamp = at && new Date(at);
  if (call === "identify") client.identify({ distinctId, properties: traits });
  else client.capture({ distinctId, event: call === "page" ? "$pageview" : event, properties, timestamp });
}
await client.shutdown(60_000);
