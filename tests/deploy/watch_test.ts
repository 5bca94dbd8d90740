/** Alerts and the dashboard ask for metrics that the server has, and every alert has its page. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { Metrics } from "../../metrics.ts";
import { parse } from "yaml";
import { z } from "zod";

const ROOT = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(join(ROOT, path));
const rulesSchema = z.object({
  groups: z.array(z.object({
    rules: z.array(z.object({
      alert: z.string(),
      expr: z.string(),
      annotations: z.object({ summary: z.string(), runbook: z.string() }),
    })),
  })),
});
const dashboardSchema = z.object({
  panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })).min(1) })),
});
const { groups } = rulesSchema.parse(parse(read("deploy/prometheus/alerts.yaml")));
const ALERTS = groups.flatMap(({ rules }) => rules);

/** Names that an expression asks for, without the endings that a histogram's series have. */
function namesIn(expression: string): string[] {
  const found = expression.matchAll(/\bcpc_\w+/g);
  return Array.from(found, ([name]) => name.replace(/_(bucket|count|sum)$/, ""));
}

Deno.test("alerts and dashboard ask for metrics that the server has", () => {
  const metrics = new Metrics();
  metrics.storeWorks(true);
  const { panels } = dashboardSchema.parse(JSON.parse(read("deploy/grafana/cpc-stream.json")));
  const asked = [...ALERTS, ...panels.flatMap(({ targets }) => targets)]
    .flatMap(({ expr }) => namesIn(expr));
  assert.ok(asked.length > 20);
  for (const name of asked) {
    const metric = metrics.registry.getSingleMetric(name) ??
      metrics.usage.registry.getSingleMetric(name);
    assert.ok(metric, `no metric ${name}`);
  }
});

Deno.test("every alert has its section in docs/operations.md", () => {
  const text = read("docs/operations.md");
  for (const { alert, annotations } of ALERTS) {
    assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
    assert.match(text, new RegExp(`^### ${alert}$`, "m"));
  }
});
