;; Dot products of rows that lie anywhere in one memory, in tiles of 4 × 2 rows: see
;; dot_products.ts, which owns the memory's layout. Assembled by wat2wasm of the npm package wabt;
;; the test of dot_products.ts holds dot_products.wasm against this text.
(module
  (memory (export "memory") 1)
  ;; out[i][j] = left[i] · right[j], all f32. A table is the addresses of its rows, from … to its
  ;; end: left's are a multiple of 4, right's of 2; rowBytes = 4 · width is a multiple of 32. out
  ;; [left, right].
  (func (export "dots")
    (param $left i32) (param $leftEnd i32) (param $right i32) (param $rightEnd i32)
    (param $rowBytes i32) (param $out i32)
    (local $outRowBytes i32) (local $column i32) (local $end i32)
    (local $p0 i32) (local $p1 i32) (local $p2 i32) (local $p3 i32) (local $q0 i32) (local $q1 i32)
    (local $b0 v128) (local $b1 v128) (local $a v128)
    (local $s00 v128) (local $s01 v128) (local $s10 v128) (local $s11 v128)
    (local $s20 v128) (local $s21 v128) (local $s30 v128) (local $s31 v128)
    (call $touch (local.get $left) (local.get $leftEnd) (local.get $rowBytes))
    (call $touch (local.get $right) (local.get $rightEnd) (local.get $rowBytes))
    (local.set $outRowBytes (i32.sub (local.get $rightEnd) (local.get $right)))
    (loop $tileRows
      (local.set $column (local.get $right))
      (loop $tileColumns
        (local.set $p0 (i32.load (local.get $left)))
        (local.set $p1 (i32.load offset=4 (local.get $left)))
        (local.set $p2 (i32.load offset=8 (local.get $left)))
        (local.set $p3 (i32.load offset=12 (local.get $left)))
        (local.set $q0 (i32.load (local.get $column)))
        (local.set $q1 (i32.load offset=4 (local.get $column)))
        (local.set $end (i32.add (local.get $p0) (local.get $rowBytes)))
        (local.set $s00 (v128.const i32x4 0 0 0 0))
        (local.set $s01 (v128.const i32x4 0 0 0 0))
        (local.set $s10 (v128.const i32x4 0 0 0 0))
        (local.set $s11 (v128.const i32x4 0 0 0 0))
        (local.set $s20 (v128.const i32x4 0 0 0 0))
        (local.set $s21 (v128.const i32x4 0 0 0 0))
        (local.set $s30 (v128.const i32x4 0 0 0 0))
        (local.set $s31 (v128.const i32x4 0 0 0 0))
        (loop $along
          (local.set $b0 (v128.load (local.get $q0)))
          (local.set $b1 (v128.load (local.get $q1)))
          (local.set $a (v128.load (local.get $p0)))
          (local.set $s00 (f32x4.add (local.get $s00) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s01 (f32x4.add (local.get $s01) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load (local.get $p1)))
          (local.set $s10 (f32x4.add (local.get $s10) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s11 (f32x4.add (local.get $s11) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load (local.get $p2)))
          (local.set $s20 (f32x4.add (local.get $s20) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s21 (f32x4.add (local.get $s21) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load (local.get $p3)))
          (local.set $s30 (f32x4.add (local.get $s30) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s31 (f32x4.add (local.get $s31) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $b0 (v128.load offset=16 (local.get $q0)))
          (local.set $b1 (v128.load offset=16 (local.get $q1)))
          (local.set $a (v128.load offset=16 (local.get $p0)))
          (local.set $s00 (f32x4.add (local.get $s00) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s01 (f32x4.add (local.get $s01) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load offset=16 (local.get $p1)))
          (local.set $s10 (f32x4.add (local.get $s10) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s11 (f32x4.add (local.get $s11) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load offset=16 (local.get $p2)))
          (local.set $s20 (f32x4.add (local.get $s20) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s21 (f32x4.add (local.get $s21) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $a (v128.load offset=16 (local.get $p3)))
          (local.set $s30 (f32x4.add (local.get $s30) (f32x4.mul (local.get $a) (local.get $b0))))
          (local.set $s31 (f32x4.add (local.get $s31) (f32x4.mul (local.get $a) (local.get $b1))))
          (local.set $q0 (i32.add (local.get $q0) (i32.const 32)))
          (local.set $q1 (i32.add (local.get $q1) (i32.const 32)))
          (local.set $p1 (i32.add (local.get $p1) (i32.const 32)))
          (local.set $p2 (i32.add (local.get $p2) (i32.const 32)))
          (local.set $p3 (i32.add (local.get $p3) (i32.const 32)))
          (br_if $along
            (i32.lt_u (local.tee $p0 (i32.add (local.get $p0) (i32.const 32))) (local.get $end))))
        ;; p0 is free: it walks the tile's rows of out
        (local.set $p0 (local.get $out))
        (call $store (local.get $p0) (local.get $s00) (local.get $s01))
        (call $store (local.tee $p0 (i32.add (local.get $p0) (local.get $outRowBytes)))
          (local.get $s10) (local.get $s11))
        (call $store (local.tee $p0 (i32.add (local.get $p0) (local.get $outRowBytes)))
          (local.get $s20) (local.get $s21))
        (call $store (i32.add (local.get $p0) (local.get $outRowBytes)) (local.get $s30)
          (local.get $s31))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (br_if $tileColumns
          (i32.lt_u (local.tee $column (i32.add (local.get $column) (i32.const 8)))
            (local.get $rightEnd))))
      (local.set $out (i32.add (local.get $out) (i32.mul (local.get $outRowBytes) (i32.const 3))))
      (br_if $tileRows
        (i32.lt_u (local.tee $left (i32.add (local.get $left) (i32.const 16)))
          (local.get $leftEnd)))))
  ;; Of each row of out [left, right], right a multiple of 4: its largest m, and Σ exp(x − m), side
  ;; by side at $to.
  (func (export "expSums") (param $out i32) (param $outEnd i32) (param $outRowBytes i32)
    (param $to i32)
    (local $at i32) (local $rowEnd i32) (local $v v128) (local $sum v128)
    (loop $rows
      (local.set $rowEnd (i32.add (local.get $out) (local.get $outRowBytes)))
      (local.set $at (local.get $out))
      (local.set $v (v128.load (local.get $out)))
      (loop $largest
        (local.set $v (f32x4.pmax (local.get $v) (v128.load (local.get $at))))
        (br_if $largest
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $rowEnd))))
      (local.set $v
        (f32x4.pmax (local.get $v)
          (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $v) (local.get $v))))
      (local.set $v
        (f32x4.pmax (local.get $v)
          (i8x16.shuffle 4 5 6 7 0 1 2 3 12 13 14 15 8 9 10 11 (local.get $v) (local.get $v))))
      (local.set $at (local.get $out))
      (local.set $sum (v128.const i32x4 0 0 0 0))
      (loop $exps
        (local.set $sum
          (f32x4.add (local.get $sum)
            (call $exp (f32x4.sub (v128.load (local.get $at)) (local.get $v)))))
        (br_if $exps
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $rowEnd))))
      (f32.store (local.get $to) (f32x4.extract_lane 0 (local.get $v)))
      (f32.store offset=4 (local.get $to) (call $sum (local.get $sum)))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (br_if $rows (i32.lt_u (local.tee $out (local.get $rowEnd)) (local.get $outEnd)))))
  ;; eˣ for x ≤ 0 to 2e-7 of its value; below −87 it is e⁻⁸⁷. x = n ln 2 + r with |r| ≤ ln 2 / 2,
  ;; and the Taylor series of eʳ to r⁷.
  (func $exp (param $x v128) (result v128) (local $n v128) (local $r v128)
    (local.set $x (f32x4.pmax (local.get $x) (v128.const f32x4 -87 -87 -87 -87)))
    (local.set $n (f32x4.nearest (f32x4.mul (local.get $x)
      (v128.const f32x4 1.4426950408889634 1.4426950408889634
        1.4426950408889634 1.4426950408889634))))
    ;; ln 2 in two parts: the first has so few digits that its product with n is exact
    (local.set $r (f32x4.sub
      (f32x4.sub (local.get $x)
        (f32x4.mul (local.get $n)
          (v128.const f32x4 0.693359375 0.693359375 0.693359375 0.693359375)))
      (f32x4.mul (local.get $n)
        (v128.const f32x4 -0.00021219444005469 -0.00021219444005469
          -0.00021219444005469 -0.00021219444005469))))
    (local.set $x
      (v128.const f32x4 0.0001984126984126984 0.0001984126984126984
        0.0001984126984126984 0.0001984126984126984))
    (local.set $x
      (f32x4.add
        (v128.const f32x4 0.001388888888888889 0.001388888888888889
          0.001388888888888889 0.001388888888888889)
        (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x
      (f32x4.add
        (v128.const f32x4 0.008333333333333333 0.008333333333333333
          0.008333333333333333 0.008333333333333333)
        (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x
      (f32x4.add
        (v128.const f32x4 0.041666666666666664 0.041666666666666664
          0.041666666666666664 0.041666666666666664)
        (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x
      (f32x4.add
        (v128.const f32x4 0.16666666666666666 0.16666666666666666
          0.16666666666666666 0.16666666666666666)
        (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x
      (f32x4.add (v128.const f32x4 0.5 0.5 0.5 0.5) (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $x) (local.get $r))))
    (local.set $x (f32x4.add (v128.const f32x4 1 1 1 1) (f32x4.mul (local.get $x) (local.get $r))))
    (f32x4.mul (local.get $x)
      (i32x4.shl
        (i32x4.add (i32x4.trunc_sat_f32x4_s (local.get $n)) (v128.const i32x4 127 127 127 127))
        (i32.const 23))))
  ;; Reads every line of a table's rows: with nothing else to do, a processor waits for many at once
  ;; where the rows are not in its caches.
  (func $touch (param $table i32) (param $tableEnd i32) (param $rowBytes i32) (local $at i32)
    (local $end i32) (local $bits i32)
    (loop $rows
      (local.set $at (i32.load (local.get $table)))
      (local.set $end (i32.add (local.get $at) (local.get $rowBytes)))
      (loop $lines
        (local.set $bits (i32.xor (local.get $bits) (i32.load (local.get $at))))
        (br_if $lines
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
      (br_if $rows
        (i32.lt_u (local.tee $table (i32.add (local.get $table) (i32.const 4)))
          (local.get $tableEnd))))
    (global.set $touched (local.get $bits)))
  (global $touched (mut i32) (i32.const 0)) ;; what is read must go somewhere, or it is not read
  ;; Two sums of four lanes, side by side.
  (func $store (param $at i32) (param $a v128) (param $b v128)
    (f32.store (local.get $at) (call $sum (local.get $a)))
    (f32.store offset=4 (local.get $at) (call $sum (local.get $b))))
  (func $sum (param $v v128) (result f32)
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $v)) (f32x4.extract_lane 2 (local.get $v)))
      (f32.add (f32x4.extract_lane 1 (local.get $v)) (f32x4.extract_lane 3 (local.get $v))))))
