/** The API page: Swagger UI for the REST contract, tables of our own for the stream's. */

const element = (tag, text, ...children) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
};

function showRest() {
  globalThis.SwaggerUIBundle({
    url: "/openapi.json",
    domNode: document.getElementById("rest-api"),
    deepLinking: false,
    validatorUrl: null, // nothing is asked of another origin
    defaultModelsExpandDepth: 0,
    supportedSubmitMethods: ["get", "post"],
    tryItOutEnabled: true,
  });
}

function resolve(document, node) {
  if (!node?.$ref) return node;
  return resolve(
    document,
    node.$ref.slice(2).split("/").reduce((at, part) => at?.[part], document),
  );
}

/** What a schema allows, in a few words. */
function words(schema = {}) {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return union.map(words).join(" | ");
  if (schema.type === "array") return `[${words(schema.items)}, …]`;
  if (schema.type === "object" && schema.properties) {
    return `{ ${
      Object.entries(schema.properties).map(([name, value]) => `${name}: ${words(value)}`).join(
        ", ",
      )
    } }`;
  }
  const bounds = [];
  if (schema.minimum > Number.MIN_SAFE_INTEGER) bounds.push(`from ${schema.minimum}`);
  if (schema.maximum < Number.MAX_SAFE_INTEGER) bounds.push(`to ${schema.maximum}`);
  return [schema.type ?? "anything", ...bounds].join(" ");
}

function members(schema, name) {
  const rows = Object.entries(schema?.properties ?? {}).map(([member, value]) =>
    element(
      "tr",
      undefined,
      element("td", undefined, element("code", member)),
      element("td", schema.required?.includes(member) ? "always" : "optional"),
      element("td", words(value)),
    )
  );
  if (rows.length === 0) return "";
  const head = element(
    "tr",
    undefined,
    ...["member", "there", "value"].map((text) => element("th", text)),
  );
  const caption = element("caption", `Members of ${name}`);
  caption.className = "hidden";
  return element(
    "table",
    undefined,
    caption,
    element("thead", undefined, head),
    element("tbody", undefined, ...rows),
  );
}

function channelPart(contract, channel) {
  const part = element("article");
  part.className = "card";
  part.append(element("h3", channel.address), element("p", channel.description));
  const query = resolve(contract, channel.bindings?.ws?.query);
  if (query) part.append(element("h3", "Query"), members(query, "the query"));
  return part;
}

async function showStream() {
  const holder = document.getElementById("stream-api");
  const answer = await fetch("/asyncapi.json");
  if (!answer.ok) throw new Error(`/asyncapi.json answered ${answer.status}`);
  const contract = await answer.json();
  const parts = Object.values(contract.channels ?? {}).map((channel) =>
    channelPart(contract, channel)
  );
  for (const operation of Object.values(contract.operations ?? {})) {
    const part = element(
      "article",
      undefined,
      element("h3", operation.summary ?? operation.action),
    );
    part.className = "card";
    for (const reference of operation.messages ?? []) {
      const { name, summary, payload } = resolve(contract, reference);
      part.append(
        element("h3", undefined, element("code", name)),
        element("p", summary ?? ""),
        members(resolve(contract, payload), name),
      );
    }
    parts.push(part);
  }
  holder.replaceChildren(...parts);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const followTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followTheme);
followTheme();
showRest();
showStream().catch((error) => {
  document.getElementById("stream-api").replaceChildren();
  document.getElementById("problem").textContent =
    `The stream's contract cannot be shown: ${error.message}.`;
  document.getElementById("problem").hidden = false;
});
