/** The API page: Swagger UI for the REST contract, our own tables for the stream's. */
import { byId, write } from "./dom.ts";

/** The global of the library's script, which the page loads before this one. */
declare const SwaggerUIBundle: (options: Readonly<Record<string, unknown>>) => unknown;

interface Reference {
  readonly $ref: string;
}
/** The part of JSON Schema that the stream's messages use. */
interface Schema {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}
interface Message {
  readonly name: string;
  readonly summary?: string;
  readonly payload?: Schema | Reference;
}
interface Channel {
  readonly address: string;
  readonly description: string;
  readonly bindings?: { readonly ws?: { readonly query?: Schema | Reference } };
}
/** The part of AsyncAPI 3 that the server's document uses. */
interface Contract {
  readonly channels?: Readonly<Record<string, Channel>>;
  readonly operations?: Readonly<
    Record<string, { action: string; summary?: string; messages?: readonly Reference[] }>
  >;
}

function element<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[T] {
  const made = document.createElement(tag);
  made.append(...children);
  return made;
}

function showRest(): void {
  SwaggerUIBundle({
    url: "/openapi.json",
    domNode: byId("rest-api", HTMLElement),
    deepLinking: false,
    validatorUrl: null, // nothing is loaded from another origin
    defaultModelsExpandDepth: 0,
    supportedSubmitMethods: ["get", "post"],
    tryItOutEnabled: true,
  });
}

/** Resolves a reference of the contract, through all references on the way. */
function resolve<T extends object>(contract: Contract, node: T | Reference): T {
  if (!("$ref" in node)) return node;
  const path = node.$ref.slice(2).split("/");
  const found = path.reduce<unknown>(
    (at, part) => at && typeof at === "object" ? Reflect.get(at, part) : undefined,
    contract,
  );
  if (!found) throw new TypeError(`${node.$ref} leads nowhere`);
  return resolve(contract, found as T | Reference);
}

/** Describes in a few words what a schema allows. */
function words(schema: Schema = {}): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map((part) => words(part)).join(" | ");
  if (schema.type === "array") return `[${words(schema.items)}, …]`;
  if (schema.type === "object" && schema.properties) {
    const members = Object.entries(schema.properties);
    return `{ ${members.map(([name, value]) => `${name}: ${words(value)}`).join(", ")} }`;
  }
  const { type = "anything", minimum = -Infinity, maximum = Infinity } = schema;
  const from = minimum > Number.MIN_SAFE_INTEGER ? ` from ${minimum}` : "";
  const to = maximum < Number.MAX_SAFE_INTEGER ? ` to ${maximum}` : "";
  return type + from + to;
}

/** A table of a schema's members; nothing if there are none. */
function members({ properties = {}, required = [] }: Schema, name: string): Node | string {
  const rows = Object.entries(properties).map(([member, value]) =>
    element(
      "tr",
      element("td", element("code", member)),
      element("td", required.includes(member) ? "always" : "optional"),
      element("td", words(value)),
    )
  );
  if (rows.length === 0) return "";
  const caption = element("caption", `Members of ${name}`);
  caption.className = "hidden";
  const heads = ["member", "there", "value"].map((text) => element("th", text));
  return element(
    "table",
    caption,
    element("thead", element("tr", ...heads)),
    element("tbody", ...rows),
  );
}

function card(title: string, ...children: (Node | string)[]): HTMLElement {
  const made = element("article", element("h3", title), ...children);
  made.className = "card";
  return made;
}

async function showStream(): Promise<void> {
  const answer = await fetch("/asyncapi.json");
  if (!answer.ok) throw new Error(`/asyncapi.json answered ${answer.status}`);
  const contract: Contract = await answer.json();
  const channels = Object.values(contract.channels ?? {}).map(
    ({ address, description, bindings }) => {
      const query = bindings?.ws?.query;
      const table = query
        ? [element("h3", "Query"), members(resolve<Schema>(contract, query), "the query")]
        : [];
      return card(address, element("p", description), ...table);
    },
  );
  const operations = Object.values(contract.operations ?? {}).map(
    ({ action, summary, messages = [] }) =>
      card(
        summary ?? action,
        ...messages.flatMap((reference) => {
          const { name, summary = "", payload = {} } = resolve<Message>(contract, reference);
          const table = members(resolve<Schema>(contract, payload), name);
          return [element("h3", element("code", name)), element("p", summary), table];
        }),
      ),
  );
  byId("stream-api", HTMLElement).replaceChildren(...channels, ...operations);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const followTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followTheme);
followTheme();
showRest();
showStream().catch((error: Error) => {
  byId("stream-api", HTMLElement).replaceChildren();
  write("problem", `The stream's contract cannot be shown: ${error.message}.`);
  byId("problem", HTMLElement).hidden = false;
});
