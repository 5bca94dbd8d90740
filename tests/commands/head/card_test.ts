import assert from "node:assert/strict";
import { shownEvent } from "../../../commands/head/card.ts";

Deno.test("shownEvent() tells a delay only where spans were found", () => {
  const figures = {
    event: "speech",
    spans: 4,
    found: 3,
    falseAlarms: 1,
    hours: 0.5,
    delayS: 0.114,
  };
  assert.equal(
    shownEvent(figures),
    "3 of 4 spans, 2.0 false alarms an hour, decided after 0.11 s (median)",
  );
  assert.equal(
    shownEvent({ ...figures, found: 0, delayS: NaN }),
    "0 of 4 spans, 2.0 false alarms an hour",
  );
});
