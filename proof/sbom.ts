/**
 * `deno task sbom`: every package of a lock file as a CycloneDX 1.6 bill of materials, on standard
 * output (https://cyclonedx.org/docs/1.6/json/).
 */
import { Buffer } from "node:buffer";
import { z } from "zod";
import { runCommand } from "../commands/cli.ts";
import { file } from "../config/kinds.ts";
import { twinned } from "../config/setting.ts";
import { UsageError } from "../errors.ts";

/** What is read of a lock file of Deno, version 5. */
const lockSchema = z.object({
  version: z.literal("5"),
  specifiers: z.record(z.string(), z.string()),
  npm: z.record(
    z.string(),
    z.object({
      integrity: z.string().regex(/^sha512-/),
      dependencies: z.array(z.string()).default([]),
    }),
  ),
});

const SBOM = {
  name: "sbom",
  about: "Prints every package of a lock file as a CycloneDX bill of materials.",
  usage: "[flags]",
  settings: twinned("CPC_SBOM_", {
    lock: file({ fallback: "deno.lock", help: "deno.lock is what a server runs" }),
  }),
};

/** A bill of materials; members as CycloneDX names them. */
export interface BillOfMaterials {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: object;
  readonly components: readonly {
    readonly type: "library";
    readonly "bom-ref": string;
    readonly name: string;
    readonly version: string;
    readonly purl: string;
    readonly hashes: readonly { readonly alg: "SHA-512"; readonly content: string }[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const PROJECT = "cpc-stream";

/**
 * The bill of materials of a lock file's text.
 *
 * @throws {UsageError} if it is no lock file that is known here
 */
export function billOfMaterials(text: string): BillOfMaterials {
  const lock = lockSchema.safeParse(parsed(text));
  if (!lock.success) {
    throw new UsageError(`not a lock file of version 5: ${lock.error.issues[0]?.message}`);
  }
  const { npm, specifiers } = lock.data;
  const refs = new Map(Object.keys(npm).map((key) => [key, purlOf(key)]));
  // a lock file names a dependency's version only where there are several
  const refOf = (dependency: string) => {
    const named = refs.get(dependency) ??
      [...refs].find(([key]) => key.startsWith(`${dependency}@`))?.[1];
    if (named === undefined) throw new UsageError(`the lock file lacks ${dependency}`);
    return named;
  };
  const direct = Object.entries(specifiers).map(([specifier, version]) => {
    const name = /^npm:(@?[^@]+)@/.exec(specifier)?.[1];
    if (name === undefined) throw new UsageError(`${specifier} is not of npm`);
    return refOf(`${name}@${version}`);
  });
  const components = new Map(
    Object.entries(npm).map(([key, { integrity }]) => {
      const { name, version } = nameOf(key);
      const content = Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
      const purl = purlOf(key);
      return [purl, {
        type: "library" as const,
        "bom-ref": purl,
        name,
        version,
        purl,
        hashes: [{ alg: "SHA-512" as const, content }],
      }];
    }),
  );
  const edges = new Map<string, Set<string>>([[PROJECT, new Set(direct)]]);
  for (const [key, { dependencies }] of Object.entries(npm)) {
    const own = edges.get(purlOf(key)) ?? new Set();
    for (const dependency of dependencies) own.add(refOf(dependency));
    edges.set(purlOf(key), own);
  }
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "application", "bom-ref": PROJECT, name: PROJECT } },
    components: [...components.values()],
    dependencies: [...edges].map(([ref, on]) => ({ ref, dependsOn: [...on].sort() })),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`not a lock file: ${(error as Error).message}`);
  }
}

/** `@scope/name@1.2.3_peer@4.5.6` is version 1.2.3 beside some peer. */
function nameOf(key: string): { name: string; version: string } {
  const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
  if (name === undefined || version === undefined) throw new UsageError(`${key} has no version`);
  return { name, version };
}

function purlOf(key: string): string {
  const { name, version } = nameOf(key);
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

if (import.meta.main) {
  const status = await runCommand(SBOM, ({ lock }, _, { print }) => {
    print(JSON.stringify(billOfMaterials(lock.text()), null, 2));
  }, { args: Deno.args });
  Deno.exit(status);
}
