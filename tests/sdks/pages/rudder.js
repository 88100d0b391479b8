// A page with @rudderstack/analytics-js (its build that loads no plugins), pointed at Kikkake.
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

window.start = ({ url, key, batching }) => {
  const analytics = new RudderAnalytics();
  analytics.load(key, url, { configUrl: url, useBeacon: Boolean(batching) });
  window.sdk = {
    page: (name) => analytics.page(name),
    track: (event, properties, at) =>
      analytics.track(event, properties, at && { originalTimestamp: new Date(at).toISOString() }),
    identify: (user, traits) => analytics.identify(user, traits),
  };
  return new Promise((ready) => analytics.ready(ready));
};
