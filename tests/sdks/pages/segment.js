// A page with @segment/analytics-next, as a site has it that was pointed at Kikkake.
import { AnalyticsBrowser } from "@segment/analytics-next";

window.start = ({ url, key, batching }) => {
  const { host } = new URL(url);
  const deliveryStrategy = batching ? { strategy: "batching", config: { size: 10, timeout: 5000 } } : undefined;
  const analytics = AnalyticsBrowser.load(
    { writeKey: key, cdnURL: url },
    { integrations: { "Segment.io": { apiHost: `${host}/v1`, protocol: "http", deliveryStrategy } } },
  );
  window.sdk = {
    page: (name) => analytics.page(name),
    track: (event, properties, at) => analytics.track(event, properties, at && { timestamp: new Date(at) }),
    identify: (user, traits) => analytics.identify(user, traits),
  };
  return analytics.ready();
};
