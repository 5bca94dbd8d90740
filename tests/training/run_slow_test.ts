import { threeSittings } from "../support/sittings.ts";

Deno.test("runTraining() with a transformer head in three sittings ends as in one", () =>
  threeSittings("transformer"));
