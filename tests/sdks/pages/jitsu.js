// A page with @jitsu/js, pointed at Kikkake.
import { jitsuAnalytics } from "@jitsu/js";

window.start = ({ url, key }) => {
  const analytics = jitsuAnalytics({ host: url, writeKey: key });
  window.sdk = {
    page: (name) => analytics.page(name),
    track: (event, properties, at) => analytics.track(event, properties, at && { timestamp: new Date(at) }),
    identify: (user, traits) => analytics.identify(user, traits),
  };
};
