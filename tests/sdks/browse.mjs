// Drives pages in a Chromium that runs: `node browse.mjs CDP_URL`. One command per line of stdin, one answer per line.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.connectOverCDP(process.argv[2]);
let context, page;

// The clock of a visitor that is wrong by `ahead` ms, in all that a page can ask.
const shiftClock = (ahead) => {
  const Right = Date;
  window.Date = class extends Right {
    constructor(...given) {
      given.length ? super(...given) : super(Right.now() + ahead);
    }
    static now() {
      return Right.now() + ahead;
    }
  };
};

const play = (calls) => {
  for (const [name, ...given] of calls) window.sdk[name](...given);
};

const commands = {
  async open({ at, ahead, job }) {
    await context?.close();
    context = await browser.newContext();
    await context.addInitScript(shiftClock, ahead);
    page = await context.newPage();
    await page.goto(at);
    await page.evaluate((given) => window.start(given), job);
  },
  play: ({ calls }) => page.evaluate(play, calls),
  // The next page is asked for in the same turn of the event loop as the last calls: what is sent now is sent on leaving.
  async leave({ calls, to }) {
    await page.evaluate(`(${play})(${JSON.stringify(calls)}); location.assign(${JSON.stringify(to)})`);
    await page.waitForURL(to);
  },
  async close({ calls }) {
    const closed = page.waitForEvent("close");
    await page.evaluate(play, calls);
    await page.close({ runBeforeUnload: true });
    await closed;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...given } = JSON.parse(line);
  try {
    await commands[command](given);
    console.log(JSON.stringify({ ok: true }));
  } catch (error) {
    console.log(JSON.stringify({ ok: false, error: String(error) }));
  }
}
await context?.close();
process.exit(0);
