/** Small faults that a tired programmer might make, found in TypeScript's syntax tree. */
import ts from "typescript";

/** A change of a file that tests should notice. */
export interface Mutant {
  /** Where the changed text begins and ends. */
  readonly from: number;
  readonly to: number;
  readonly replacement: string;
  /** Line, from 1. */
  readonly line: number;
  /** `a < b → a <= b`, shortened. */
  readonly what: string;
}

const { SyntaxKind: Kind } = ts;
const SWAPPED: Partial<Record<ts.SyntaxKind, string>> = {
  [Kind.LessThanToken]: "<=",
  [Kind.LessThanEqualsToken]: "<",
  [Kind.GreaterThanToken]: ">=",
  [Kind.GreaterThanEqualsToken]: ">",
  [Kind.EqualsEqualsEqualsToken]: "!==",
  [Kind.ExclamationEqualsEqualsToken]: "===",
  [Kind.AmpersandAmpersandToken]: "||",
  [Kind.BarBarToken]: "&&",
  [Kind.PlusToken]: "-",
  [Kind.MinusToken]: "+",
  [Kind.AsteriskToken]: "/",
  [Kind.SlashToken]: "*",
  [Kind.PlusEqualsToken]: "-=",
  [Kind.MinusEqualsToken]: "+=",
};
const SHOWN = 60;

/** Every mutant of a file's text. */
export function mutantsOf(text: string): Mutant[] {
  const file = ts.createSourceFile("file.ts", text, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];
  const add = (node: ts.Node, replacement: string) => {
    const [from, to] = [node.getStart(file), node.getEnd()];
    if (replacement === text.slice(from, to)) return;
    const [before, after] = [text.slice(from, to), replacement].map((code) => {
      const short = code.replace(/\s+/g, " ");
      return short.length > SHOWN ? `${short.slice(0, SHOWN)}…` : short;
    });
    const line = file.getLineAndCharacterOfPosition(from).line + 1;
    mutants.push({ from, to, replacement, line, what: `${before} → ${after || "nothing"}` });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node)) return; // types are not run
    if (ts.isBinaryExpression(node)) {
      const other = SWAPPED[node.operatorToken.kind];
      const isText = node.operatorToken.kind === Kind.PlusToken &&
        [node.left, node.right].some((side) =>
          ts.isStringLiteralLike(side) || ts.isTemplateExpression(side)
        );
      if (other && !isText) add(node.operatorToken, other);
    } else if (ts.isNumericLiteral(node)) add(node, `(${node.getText(file)} + 1)`);
    else if (node.kind === Kind.TrueKeyword) add(node, "false");
    else if (node.kind === Kind.FalseKeyword) add(node, "true");
    else if (ts.isPrefixUnaryExpression(node) && node.operator === Kind.ExclamationToken) {
      add(node, node.operand.getText(file));
    } else if (ts.isPostfixUnaryExpression(node)) {
      const operator = node.operator === Kind.PlusPlusToken ? "--" : "++";
      add(node, `${node.operand.getText(file)}${operator}`);
    } else if (ts.isExpressionStatement(node) && !isSuper(node)) add(node, ";");
    else if (ts.isReturnStatement(node) && node.expression) add(node, "return undefined;");
    else if (ts.isIfStatement(node)) add(node.expression, `!(${node.expression.getText(file)})`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return mutants;
}

function isSuper({ expression }: ts.ExpressionStatement): boolean {
  return ts.isCallExpression(expression) && expression.expression.kind === Kind.SuperKeyword;
}
