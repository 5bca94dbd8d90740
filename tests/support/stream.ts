/** Drives an engine as a worker does, for tests that need no worker. */
export * from "../../conformance/drive.ts";

export { seeded as random } from "../../model/seeded.ts";
