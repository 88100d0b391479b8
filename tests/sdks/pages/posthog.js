// A page with posthog-js, pointed at Kikkake. Its capture of clicks and page views is off: the test makes every call.
import posthog from "posthog-js";

window.start = ({ url, key }) =>
  new Promise((loaded) => {
    const quiet = { autocapture: false, capture_pageview: false, capture_pageleave: false };
    // Else it takes a browser without a window for a bot, and sends nothing.
    posthog.init(key, { api_host: url, ...quiet, opt_out_useragent_filter: true, loaded });
    window.sdk = {
      page: (name) => posthog.capture("$pageview", { name }),
      track: (event, properties, at) => posthog.capture(event, properties, at && { timestamp: new Date(at) }),
      identify: (user, traits) => posthog.identify(user, traits),
    };
  });
