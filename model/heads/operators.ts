/**
 * The ONNX operators that a head may use (docs/heads.md lists them). Each is deterministic, and its
 * result has a shape that follows from the shapes of its inputs. Left out is what draws random
 * numbers, what loops as long as the data says, what keeps a memory of its own, and what finds a
 * size in the data. An operator that works across the rows of a batch, by its axis, is found by
 * the trial in `head.ts`.
 */

/** By the domain of their set; the standard one has no name. */
export const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  "": [
    // number by number
    ..."Abs Add And BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil Celu Clip Cos Div"
      .split(" "),
    ..."Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf"
      .split(" "),
    ..."IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or Pow PRelu".split(
      " ",
    ),
    ..."Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tan Tanh"
      .split(" "),
    ..."ThresholdedRelu Where Xor".split(" "),
    // products
    ..."Conv ConvTranspose Einsum Gemm MatMul".split(" "),
    // along an axis
    ..."ArgMax ArgMin AveragePool BatchNormalization CumSum GlobalAveragePool GlobalMaxPool".split(
      " ",
    ),
    ..."GroupNormalization InstanceNormalization LayerNormalization LogSoftmax LpNormalization"
      .split(" "),
    ..."MaxPool ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin"
      .split(" "),
    ..."ReduceProd ReduceSum ReduceSumSquare RMSNormalization Softmax TopK".split(" "),
    // recurrent layers within a row
    ..."GRU LSTM RNN".split(" "),
    // shapes and places
    ..."Concat Constant ConstantOfShape Expand EyeLike Flatten Gather GatherElements GatherND"
      .split(
        " ",
      ),
    ..."OneHot Pad Range Reshape ScatterElements ScatterND Shape Size Slice Split Squeeze Tile"
      .split(" "),
    ..."Transpose Trilu Unsqueeze".split(" "),
    // a branch, whose graphs are looked at too
    "If",
  ],
  "com.microsoft": ["FastGelu", "FusedMatMul", "Gelu", "QuickGelu"],
};

/** Whether a head may use it. */
export function isAllowed({ domain, opType }: { domain: string; opType: string }): boolean {
  const set = domain === "ai.onnx" ? "" : domain;
  return Object.hasOwn(OPERATORS, set) && OPERATORS[set]!.includes(opType);
}
