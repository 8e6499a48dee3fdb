// Values and derivatives to order 4 of an LAAF network at many points, and the backward pass of all of them.
//
// Taylor mode (Bettencourt, Johnson & Duvenaud 2019): each point carries its streams, the value and the derivatives
// asked for, through all layers. A block of points goes through the whole network while it stays in cache:
//
//   forward   Z = A Y + b            one product for all streams of the block; the bias on the value alone
//             y = s(z), y_i = s' z_i, L y = s' L z + s'' sum_ij c_ij z_i z_j for L of order 2
//   backward  the chain rule's own derivative, then  dA += dZ Y^T,  dY = A^T dZ
//
// Beyond order 2 the chain rule has products of more derivatives (Faa di Bruno): tables that the caller gives.
//
// The backward pass computes its block forward again, for that is faster than reading it back from memory: so memory
// does not grow with the points, but for the outputs.
//
// Rows hold one neuron: its streams one after another, each of `block` points. Compiled once for every instruction
// set, by LAAF_VARIANT and LAAF_VECTOR_BYTES.
#include <algorithm>
#include <new>
#include <vector>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "activations.h"
#include "kernel.h"

namespace {

constexpr bool MANY_REGISTERS = LAAF_VECTOR_BYTES == 64;
constexpr int TILE = MANY_REGISTERS ? 4 : 2;          // vectors of a row in a tile of a product
constexpr int PANEL = 6;                              // rows in it, at most
constexpr int OUTER = 4, INNER = MANY_REGISTERS ? 4 : 2;  // rows of a tile of dA = dZ Y^T
constexpr int64_t CACHE = 384 << 10;                  // bytes of a block's working set that are aimed at
constexpr int MOST_POINTS = 256;                      // of a block
constexpr int BLOCKS_A_FLUSH = 32;                    // float sums are added to double ones after so many blocks

template <class R> constexpr int STEP = TILE * N_LANES<R>;  // points of a block are a multiple of it

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

int n_panels(int rows) { return (rows + PANEL - 1) / PANEL; }
int panel_begin(int rows, int panel) { return int(int64_t(rows) * panel / n_panels(rows)); }

// Rows of kernel.h, with offsets in numbers: of a coefficient's row, and in a row of streams behind the value.
template <class R> struct Product {
  int row;
  R count;
  int blocks[4];
};
template <class R> struct Pair {
  int row;
  R count;
  int inner, outer;
};

// Where everything lies. Strides are in numbers, of rows in a matrix of streams; they are odd in cache lines, so that
// the rows of a tile do not fall on one another in the cache.
template <class R> struct Plan {
  LaafNetwork net;
  std::vector<int> width;  // inputs, hidden layers, outputs
  int depth, n_streams, n_kept, block, columns, stride, kept_stride, widest;
  int64_t n_blocks, n_parameters;
  std::vector<int64_t> weight_at, bias_at, kept_at;  // of layers among the parameters; of hidden layers in what is kept
  int64_t n_kept_numbers, n_packed, padded_parameters, per_part;
  std::vector<Product<R>> products;
  std::vector<Pair<R>> pairs;

  Plan(const LaafNetwork &network, int64_t n_points, int n_threads, int n_coefficients, int kept) : net(network), n_kept(kept) {
    depth = net.n_hidden;
    n_streams = 1 + net.n_first + net.n_operators;
    width.push_back(net.n_inputs);
    width.insert(width.end(), net.widths, net.widths + depth);
    width.push_back(net.n_outputs);
    widest = *std::max_element(width.begin(), width.end());
    int64_t neurons = 0;
    for (int k = 1; k <= depth; k++) neurons += width[k];
    const int64_t bytes_per_point = sizeof(R) * n_streams * (neurons + 3 * widest);
    const int64_t share = (n_points + n_threads - 1) / n_threads;
    int64_t points = std::min<int64_t>({CACHE / bytes_per_point, MOST_POINTS, share + STEP<R> - 1});
    block = int(std::max<int64_t>(1, points / STEP<R>)) * STEP<R>;
    n_blocks = (n_points + block - 1) / block;
    columns = n_streams * block;
    stride = padded(columns);
    kept_stride = padded(columns + (n_kept - 1) * block);

    n_parameters = 0;
    n_kept_numbers = 0;
    for (int k = 0; k <= depth; k++) {
      weight_at.push_back(n_parameters);
      bias_at.push_back(n_parameters += int64_t(width[k]) * width[k + 1]);
      n_parameters += width[k + 1];
      kept_at.push_back(n_kept_numbers);
      if (k < depth) n_kept_numbers += int64_t(width[k + 1]) * kept_stride;
    }
    // Rows of a block: the coefficients and, behind them, ones.
    auto row_at = [&](int row) { return (row < 0 ? n_coefficients : row) * block; };
    const int n_products = net.n_operators ? net.product_ends[3 * net.n_operators - 1] : 0;
    for (const LaafProduct *p = net.products; p < net.products + n_products; p++) {
      products.push_back({row_at(p->row), R(p->count), {}});
      for (int i = 0; i < 4; i++) products.back().blocks[i] = p->blocks[i] * block;
    }
    const int n_pairs = net.n_operators ? net.pair_ends[net.n_operators - 1] : 0;
    for (const LaafPair *p = net.pairs; p < net.pairs + n_pairs; p++)
      pairs.push_back({row_at(p->row), R(p->count), p->inner * block, p->outer * block});
    n_packed = 2 * n_parameters;
    padded_parameters = padded_to_line(n_parameters);
    per_part = n_kept_numbers + (4 * int64_t(widest) + 1) * stride + padded_parameters + int64_t(n_coefficients + 1) * block;
  }

  static constexpr int line = 64 / int(sizeof(R));
  static int64_t padded_to_line(int64_t numbers) { return (numbers + line - 1) / line * line; }
  static int padded(int numbers) { return (int(padded_to_line(numbers)) / line | 1) * line; }
  int64_t part_bytes() const { return aligned(per_part * sizeof(R)) + aligned(n_parameters * sizeof(double)); }
  int64_t workspace(int n_threads) const { return aligned(n_packed * sizeof(R)) + n_threads * part_bytes(); }
};

// The weights as products read them: panels of a few rows, column by column; hidden ones times their slopes.
template <class R> struct Layers {
  std::vector<const R *> forward, backward, bias;

  Layers(const Plan<R> &plan, const LaafParameters &given, R *room) {
    for (int k = 0; k <= plan.depth; k++) {
      const int n_in = plan.width[k], n_out = plan.width[k + 1];
      const R *weight = static_cast<const R *>(given.weights[k]), *b = static_cast<const R *>(given.biases[k]);
      R *by_output = room, *by_input = room + int64_t(n_in) * n_out, *shift = by_input + int64_t(n_in) * n_out;
      forward.push_back(by_output);
      backward.push_back(by_input);
      bias.push_back(shift);
      room = shift + n_out;
      for (int o = 0; o < n_out; o++) shift[o] = factor(plan, given, k, o);
      for (int p = 0; p < n_panels(n_out); p++) {
        const int begin = panel_begin(n_out, p), end = panel_begin(n_out, p + 1);
        for (int i = 0; i < n_in; i++)
          for (int o = begin; o < end; o++) *by_output++ = shift[o] * weight[int64_t(o) * n_in + i];
      }
      for (int p = 0; p < n_panels(n_in); p++) {
        const int begin = panel_begin(n_in, p), end = panel_begin(n_in, p + 1);
        for (int o = 0; o < n_out; o++)
          for (int i = begin; i < end; i++) *by_input++ = shift[o] * weight[int64_t(o) * n_in + i];
      }
      for (int o = 0; o < n_out; o++) shift[o] *= b[o];
    }
  }

  static R factor(const Plan<R> &plan, const LaafParameters &given, int k, int o) {
    if (k == plan.depth || plan.net.slope_counts[k] == 0) return R(1);
    const R *slope = static_cast<const R *>(given.slopes[k]);
    return R(plan.net.scale) * slope[plan.net.slope_counts[k] == 1 ? 0 : o];
  }
};

// C [M, columns of a tile] = A [M, depth] Y; bias null for none.
template <class R, int M> void tile_product(const R *a, int depth, const R *y, int stride, const R *bias, R *c, int to_stride) {
  Vec<R> sum[M][TILE];
#pragma GCC unroll 8
  for (int m = 0; m < M; m++) {
    const Vec<R> start = bias ? all<R>(bias[m]) : Vec<R>{};
#pragma GCC unroll 8
    for (int j = 0; j < TILE; j++) sum[m][j] = start;
  }
  for (int k = 0; k < depth; k++, a += M, y += stride) {
    Vec<R> right[TILE];
#pragma GCC unroll 8
    for (int j = 0; j < TILE; j++) right[j] = load<R>(y + j * N_LANES<R>);
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
      for (int j = 0; j < TILE; j++) sum[m][j] += a[m] * right[j];
  }
#pragma GCC unroll 8
  for (int m = 0; m < M; m++)
#pragma GCC unroll 8
    for (int j = 0; j < TILE; j++) store<R>(c + m * int64_t(to_stride) + j * N_LANES<R>, sum[m][j]);
}

// C [rows, columns] = A Y (+ bias in the first `biased` columns), A in panels.
template <class R>
void product(const R *a, int rows, int depth, const R *y, int stride, const R *bias, int biased, R *c, int to_stride, int columns) {
  static constexpr decltype(&tile_product<R, 1>) tiles[] = {tile_product<R, 1>, tile_product<R, 2>, tile_product<R, 3>,
                                                            tile_product<R, 4>, tile_product<R, 5>, tile_product<R, 6>};
  for (int column = 0; column < columns; column += STEP<R>)
    for (int p = 0; p < n_panels(rows); p++) {
      const int begin = panel_begin(rows, p), m = panel_begin(rows, p + 1) - begin;
      tiles[m - 1](a + int64_t(begin) * depth, depth, y + column, stride, column < biased ? bias + begin : nullptr,
                   c + int64_t(begin) * to_stride + column, to_stride);
    }
}

// G [O, I] += Z Y^T over all columns.
template <class R, int O, int I>
void tile_gradient(const R *z, int z_stride, const R *y, int y_stride, int columns, R *g, int g_stride) {
  constexpr int lanes = N_LANES<R>, n = (O * I + lanes - 1) / lanes * lanes;
  Vec<R> sum[n];
#pragma GCC unroll 16
  for (int i = 0; i < n; i++) sum[i] = Vec<R>{};
  for (int column = 0; column < columns; column += lanes) {
    Vec<R> right[I];
#pragma GCC unroll 4
    for (int i = 0; i < I; i++) right[i] = load<R>(y + i * int64_t(y_stride) + column);
#pragma GCC unroll 4
    for (int o = 0; o < O; o++) {
      const Vec<R> left = load<R>(z + o * int64_t(z_stride) + column);
#pragma GCC unroll 4
      for (int i = 0; i < I; i++) sum[o * I + i] += left * right[i];
    }
  }
#pragma GCC unroll 8
  for (int first = 0; first < n; first += lanes) {
    lane_sums<R>(sum + first);
    for (int j = 0; j < lanes && first + j < O * I; j++)
      g[(first + j) / I * int64_t(g_stride) + (first + j) % I] += sum[first][j];
  }
}

template <class R, int O> constexpr auto gradient_tile(int i) {
  constexpr decltype(&tile_gradient<R, 1, 1>) row[] = {tile_gradient<R, O, 1>, tile_gradient<R, O, 2>,
                                                       tile_gradient<R, O, INNER == 4 ? 3 : 1>, tile_gradient<R, O, INNER>};
  return row[i - 1];
}

template <class R>
void gradient_product(const R *z, int z_stride, int rows, const R *y, int y_stride, int inner, int columns, R *g) {
  for (int i = 0; i < inner; i += INNER)
    for (int o = 0; o < rows; o += OUTER) {
      const int n_inner = std::min(INNER, inner - i);
      decltype(&tile_gradient<R, 1, 1>) tile;
      switch (std::min(OUTER, rows - o)) {
        case 1: tile = gradient_tile<R, 1>(n_inner); break;
        case 2: tile = gradient_tile<R, 2>(n_inner); break;
        case 3: tile = gradient_tile<R, 3>(n_inner); break;
        default: tile = gradient_tile<R, 4>(n_inner);
      }
      tile(z + o * int64_t(z_stride), z_stride, y + i * int64_t(y_stride), y_stride, columns, g + o * int64_t(inner) + i, inner);
    }
}

// The rows of a layer that activations are applied to.
template <class R> struct Shape {
  int block, n_first, n_operators;
  const int32_t *product_ends, *pair_ends;
  const Product<R> *products;
  const Pair<R> *pairs;
  const R *coefficients;  // rows of a block
  R *outer;               // room for a row of streams

  int products_begin(int q) const { return q ? product_ends[3 * q - 1] : 0; }
  int products_end(int q, int n_blocks) const { return product_ends[3 * q + n_blocks - 2]; }
  int pairs_begin(int q) const { return q ? pair_ends[q - 1] : 0; }
};

template <class R, class A> Kept<R> read_kept(const R *row, int columns, int block, int j) {
  Kept<R> kept{{load<R>(row + j)}};
  for (int i = 1; i < A::n_kept; i++) kept.v[i] = load<R>(row + columns + (i - 1) * block + j);
  return kept;
}

// U vectors of a row side by side: what a table says is read once for all of them.
template <class R, int U> struct Wide {
  Vec<R> v[U];

  static Wide at(const R *p) {
    Wide w;
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) w.v[u] = load<R>(p + u * N_LANES<R>);
    return w;
  }
  void to(R *p) const {
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) store<R>(p + u * N_LANES<R>, v[u]);
  }
  Wide operator*(const Wide &o) const {
    Wide w;
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) w.v[u] = v[u] * o.v[u];
    return w;
  }
  Wide operator*(R x) const {
    Wide w;
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) w.v[u] = v[u] * x;
    return w;
  }
  Wide operator+(const Wide &o) const {
    Wide w;
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) w.v[u] = v[u] + o.v[u];
    return w;
  }
};

// For functions that pass Wide on: by way of memory it costs half of the chain rule.
#ifndef INLINED
#define INLINED __attribute__((always_inline)) inline
#endif

template <int ORDER> constexpr int UNROLLED = ORDER > 2 ? TILE : 1;

template <class R, class A, int U> INLINED void derive(const R *z, int columns, int block, int j, Wide<R, U> (&d)[6]) {
#pragma GCC unroll 4
  for (int u = 0; u < U; u++) {
    const Derivatives<R> found = A::derive(read_kept<R, A>(z, columns, block, j + u * N_LANES<R>));
#pragma GCC unroll 6
    for (int k = 0; k < 6; k++) d[k].v[u] = found.d[k];
  }
}

// The sum of the products of K blocks of an operator; order 2 counts each once.
template <class R, int U, int ORDER, int K> INLINED Wide<R, U> products(const Shape<R> &s, int q, const R *z, int j) {
  Wide<R, U> sum{};
  for (int p = K == 2 ? s.products_begin(q) : s.products_end(q, K - 1); p < s.products_end(q, K); p++) {
    const Product<R> &product = s.products[p];
    Wide<R, U> factor = Wide<R, U>::at(s.coefficients + product.row + j);
    if constexpr (ORDER > 2) factor = factor * product.count;
#pragma GCC unroll 4
    for (int i = 0; i < K; i++) factor = factor * Wide<R, U>::at(z + product.blocks[i]);
    sum = sum + factor;
  }
  return sum;
}

// L s(z) by the derivatives of s from the first one on.
template <class R, int U, int ORDER>
INLINED Wide<R, U> compose(const Shape<R> &s, int q, int at, const R *z, int j, const Wide<R, U> *d) {
  typedef Wide<R, U> W;
  const W pairs = products<R, U, ORDER, 2>(s, q, z, j);
  const W linear = d[0] * W::at(z + at), quadratic = d[1] * pairs;
  W sum = linear + quadratic;
  if constexpr (ORDER > 2) sum = sum + d[2] * products<R, U, ORDER, 3>(s, q, z, j);
  if constexpr (ORDER > 3) sum = sum + d[3] * products<R, U, ORDER, 4>(s, q, z, j);
  return sum;
}

// z → what is kept of it, and y. fresh: z holds the pre-activation; otherwise what an earlier call has kept. F, Q:
// numbers of first derivatives and operators, -1 where they are known at run time only.
template <class R, class A, int F, int Q, int ORDER> void activate(const Shape<R> &s, R *z, R *y, bool fresh) {
  constexpr int U = UNROLLED<ORDER>;
  typedef Wide<R, U> W;
  const int b = s.block, n_first = F < 0 ? s.n_first : F, n_operators = Q < 0 ? s.n_operators : Q;
  const int columns = (1 + n_first + n_operators) * b;
  for (int j = 0; j < b; j += U * N_LANES<R>) {
    if (fresh)
#pragma GCC unroll 4
      for (int u = 0; u < U; u++) {
        R *zu = z + j + u * N_LANES<R>;
        const Kept<R> kept = A::keep(load<R>(zu));
        store<R>(zu, kept.v[0]);
        for (int i = 1; i < A::n_kept; i++) store<R>(zu + columns + (i - 1) * b, kept.v[i]);
      }
    W d[6];
    derive<R, A, U>(z, columns, b, j, d);
    d[0].to(y + j);
    const R *zj = z + b + j;
    R *yj = y + b + j;
    for (int i = 0; i < n_first; i++) (d[1] * W::at(zj + i * b)).to(yj + i * b);
    for (int q = 0; q < n_operators; q++) {
      const int at = (n_first + q) * b;
      compose<R, U, ORDER>(s, q, at, zj, j, d + 1).to(yj + at);
    }
  }
}

// The cotangents of y → those of z, in place; returns the sum of those of the value, which is that of the bias.
template <class R, class A, int F, int Q> R differentiate(const Shape<R> &s, const R *z, R *g) {
  const int b = s.block, n_first = F < 0 ? s.n_first : F, n_operators = Q < 0 ? s.n_operators : Q;
  const int columns = (1 + n_first + n_operators) * b;
  Vec<R> total{};
  for (int j = 0; j < b; j += N_LANES<R>) {
    const Derivatives<R> found = A::derive(read_kept<R, A>(z, columns, b, j));
    const Vec<R> d1 = found.d[1], d2 = found.d[2], d3 = found.d[3];
    const R *zj = z + b + j;
    R *gj = g + b + j;
    Vec<R> value = load<R>(g + j) * d1, bent{};
    for (int i = 0; i < n_first; i++) {
      const Vec<R> gi = load<R>(gj + i * b);
      bent += gi * load<R>(zj + i * b);
      store<R>(gj + i * b, gi * d1);
    }
    Vec<R> curved{};
    for (int q = 0; q < n_operators; q++) {
      const int at = (n_first + q) * b;
      const Vec<R> gq = load<R>(gj + at);
      bent += gq * load<R>(zj + at);
      for (int p = s.products_begin(q); p < s.products_end(q, 2); p++) {
        const Product<R> &product = s.products[p];
        const int a = product.blocks[0], c = product.blocks[1];
        const Vec<R> cotangent = gq * load<R>(s.coefficients + product.row + j), outer = cotangent * d2;
        const Vec<R> za = load<R>(zj + a), zc = load<R>(zj + c);
        curved += cotangent * za * zc;
        store<R>(gj + a, load<R>(gj + a) + outer * zc);
        store<R>(gj + c, load<R>(gj + c) + outer * za);
      }
      store<R>(gj + at, gq * d1);
    }
    value += bent * d2 + curved * d3;
    store<R>(g + j, value);
    total += value;
  }
  return sum_of_lanes<R>(total);
}

// The same for any order: the derivative of D^a s(z) with respect to D^b z is binom(a, b) D^(a-b) s'(z), so that the
// streams of s'(z) serve all products. Those of lower order come first, and their cotangents of y have been read before
// an operator adds to them.
template <class R, class A, int ORDER> R differentiate_any(const Shape<R> &s, const R *z, R *g) {
  constexpr int U = UNROLLED<ORDER>;
  typedef Wide<R, U> W;
  const int b = s.block, columns = (1 + s.n_first + s.n_operators) * b;
  Vec<R> total{};
  for (int j = 0; j < b; j += U * N_LANES<R>) {
    W d[6];
    derive<R, A, U>(z, columns, b, j, d);
    const R *zj = z + b + j;
    R *gj = g + b + j;
    W value = W::at(g + j) * d[1];
    auto pass = [&](int at, const W &outer) {
      const W cotangent = W::at(gj + at);
      outer.to(s.outer + at);
      value = value + cotangent * outer;
      (cotangent * d[1]).to(gj + at);
      return cotangent;
    };
    for (int i = 0; i < s.n_first; i++) pass(i * b, d[2] * W::at(zj + i * b));
    for (int q = 0; q < s.n_operators; q++) {
      const int at = (s.n_first + q) * b;
      const W cotangent = pass(at, compose<R, U, ORDER>(s, q, at, zj, j, d + 2));
      for (int p = s.pairs_begin(q); p < s.pair_ends[q]; p++) {
        const Pair<R> &pair = s.pairs[p];
        const W weight = W::at(s.coefficients + pair.row + j) * pair.count;
        (W::at(gj + pair.inner) + cotangent * weight * W::at(s.outer + pair.outer)).to(gj + pair.inner);
      }
    }
    value.to(g + j);
#pragma GCC unroll 4
    for (int u = 0; u < U; u++) total += value.v[u];
  }
  return sum_of_lanes<R>(total);
}

template <class R> struct Rules {
  void (*activate)(const Shape<R> &, R *, R *, bool);
  R (*differentiate)(const Shape<R> &, const R *, R *);
};

template <class R, class A, int F, int Q> Rules<R> quadratic() { return {activate<R, A, F, Q, 2>, differentiate<R, A, F, Q>}; }

template <class R, class A> Rules<R> rules_for(const LaafNetwork &net) {
  if (net.order == 3) return {activate<R, A, -1, -1, 3>, differentiate_any<R, A, 3>};
  if (net.order == 4) return {activate<R, A, -1, -1, 4>, differentiate_any<R, A, 4>};
  switch (net.n_operators < 8 ? net.n_first * 8 + net.n_operators : -1) {  // the numbers that equations of the usual kinds ask for are known to the compiler
    case 0: return quadratic<R, A, 0, 0>();
    case 8 + 0: return quadratic<R, A, 1, 0>();
    case 8 + 1: return quadratic<R, A, 1, 1>();
    case 16 + 0: return quadratic<R, A, 2, 0>();
    case 16 + 1: return quadratic<R, A, 2, 1>();
    case 16 + 2: return quadratic<R, A, 2, 2>();
    case 24 + 2: return quadratic<R, A, 3, 2>();
    default: return quadratic<R, A, -1, -1>();
  }
}

template <class R, class A> bool take(const LaafNetwork &net, Rules<R> &rules, int &n_kept) {
  rules = rules_for<R, A>(net);
  n_kept = A::n_kept;
  return true;
}

template <class R> bool choose(const LaafNetwork &net, Rules<R> &rules, int &n_kept) {
  if (net.order < 2 || net.order > 4) return false;
  switch (net.activation) {
    case 0: return take<R, Tanh<R>>(net, rules, n_kept);
    case 1: return take<R, Sine<R>>(net, rules, n_kept);
    case 2: return take<R, Sigmoid<R>>(net, rules, n_kept);
    case 3: return take<R, Silu<R>>(net, rules, n_kept);
    case 4: return take<R, Gelu<R>>(net, rules, n_kept);
    case 5: return take<R, Softplus<R>>(net, rules, n_kept);
    default: return false;
  }
}

// One part of the points, with its own share of the workspace.
template <class R> struct Part {
  const Plan<R> &plan;
  const Layers<R> &layers;
  const Rules<R> rules;
  const LaafCall &call;
  const int index;
  Shape<R> shape;
  R *kept, *y, *other, *g, *gz, *sums, *coefficients;
  double *totals;

  Part(const Plan<R> &plan_, const Layers<R> &layers_, const Rules<R> &rules_, const LaafCall &call_, int index_, char *room)
      : plan(plan_), layers(layers_), rules(rules_), call(call_), index(index_),
        shape{plan_.block, plan_.net.n_first, plan_.net.n_operators, plan_.net.product_ends, plan_.net.pair_ends,
              plan_.products.data(), plan_.pairs.data(), nullptr, nullptr} {
    totals = reinterpret_cast<double *>(room + aligned(plan.per_part * sizeof(R)));
    kept = reinterpret_cast<R *>(room);
    const int64_t rows = int64_t(plan.widest) * plan.stride;
    y = kept + plan.n_kept_numbers;
    other = y + rows;
    g = other + rows;
    gz = g + rows;
    shape.outer = gz + rows;
    sums = shape.outer + plan.stride;
    coefficients = sums + plan.padded_parameters;
    R *ones = coefficients + int64_t(call.n_coefficients) * plan.block;
    std::fill(ones, ones + plan.block, R(1));
    shape.coefficients = coefficients;
  }

  int64_t begin() const { return plan.n_blocks * index / call.n_threads; }
  int64_t end() const { return plan.n_blocks * (index + 1) / call.n_threads; }
  int64_t first_point(int64_t block) const { return block * plan.block; }
  int n_points(int64_t block) const { return int(std::min<int64_t>(plan.block, call.n_points - first_point(block))); }

  // The inputs of a block as rows of streams; points beyond the last are copies of it.
  void read_inputs(int64_t block) {
    const int n = n_points(block), n_inputs = plan.net.n_inputs;
    for (int s = 0; s < plan.n_streams; s++)
      for (int row = 0; row < n_inputs; row++) {
        const R *from = static_cast<const R *>(call.inputs) + (int64_t(s) * n_inputs + row) * call.n_points + first_point(block);
        R *to = y + int64_t(row) * plan.stride + s * plan.block;
        std::copy(from, from + n, to);
        std::fill(to + n, to + plan.block, from[n - 1]);
      }
  }

  void read_coefficients(int64_t block) {
    const int n = n_points(block);
    for (int row = 0; row < call.n_coefficients; row++) {
      const R *from = static_cast<const R *>(call.coefficients) + int64_t(row) * call.n_points + first_point(block);
      R *to = coefficients + int64_t(row) * plan.block;
      std::copy(from, from + n, to);
      std::fill(to + n, to + plan.block, from[n - 1]);
    }
  }

  // The cotangents of a block as rows of streams: 0 for rows that are not given, and beyond the last point.
  void read_cotangents(void *const *given, int64_t block) {
    const int n = n_points(block);
    for (int s = 0; s < plan.n_streams; s++)
      for (int row = 0; row < plan.net.n_outputs; row++) {
        const R *from = static_cast<const R *>(given[s * plan.net.n_outputs + row]);
        R *to = gz + int64_t(row) * plan.stride + s * plan.block;
        if (from) std::copy(from + first_point(block), from + first_point(block) + n, to);
        std::fill(to + (from ? n : 0), to + plan.block, R(0));
      }
  }

  void write_outputs(const R *rows, int64_t block, void *const *wanted) const {
    for (int s = 0; s < plan.n_streams; s++)
      for (int row = 0; row < plan.net.n_outputs; row++) {
        R *to = static_cast<R *>(wanted[s * plan.net.n_outputs + row]);
        const R *from = rows + int64_t(row) * plan.stride + s * plan.block;
        if (to) std::copy(from, from + n_points(block), to + first_point(block));
      }
  }

  // Through the hidden layers: what the backward pass needs of each is left in `kept`, the last y in `y`.
  void hidden_layers(int64_t block) {
    read_inputs(block);
    read_coefficients(block);
    for (int k = 0; k < plan.depth; k++) {
      R *z = kept + plan.kept_at[k];
      product<R>(layers.forward[k], plan.width[k + 1], plan.width[k], y, plan.stride, layers.bias[k], plan.block, z,
                 plan.kept_stride, plan.columns);
      for (int o = 0; o < plan.width[k + 1]; o++)
        rules.activate(shape, z + int64_t(o) * plan.kept_stride, other + int64_t(o) * plan.stride, true);
      std::swap(y, other);
    }
  }

  void forward(void *const *outputs) {
    for (int64_t block = begin(); block < end(); block++) {
      hidden_layers(block);
      const int last = plan.depth;
      product<R>(layers.forward[last], plan.net.n_outputs, plan.width[last], y, plan.stride, layers.bias[last], plan.block,
                 other, plan.stride, plan.columns);
      write_outputs(other, block, outputs);
    }
  }

  void backward(void *const *cotangents) {
    std::fill(totals, totals + plan.n_parameters, 0.0);
    std::fill(sums, sums + plan.n_parameters, R(0));
    for (int64_t block = begin(); block < end(); block++) {
      hidden_layers(block);
      backward_block(cotangents, block);
      if ((block - begin()) % BLOCKS_A_FLUSH == BLOCKS_A_FLUSH - 1) flush();
    }
    flush();
  }

  void backward_block(void *const *cotangents, int64_t block) {
    read_cotangents(cotangents, block);
    for (int o = 0; o < plan.net.n_outputs; o++)
      for (int b = 0; b < plan.block; b++) sums[plan.bias_at[plan.depth] + o] += gz[int64_t(o) * plan.stride + b];
    for (int k = plan.depth; k >= 0; k--) {
      const int n_in = plan.width[k], n_out = plan.width[k + 1];
      const R *z = k > 0 ? kept + plan.kept_at[k - 1] : nullptr;
      if (k == 0)
        read_inputs(block);
      else
        for (int i = 0; i < n_in; i++)
          rules.activate(shape, const_cast<R *>(z) + int64_t(i) * plan.kept_stride, y + int64_t(i) * plan.stride, false);
      gradient_product<R>(gz, plan.stride, n_out, y, plan.stride, n_in, plan.columns, sums + plan.weight_at[k]);
      if (k == 0) break;
      product<R>(layers.backward[k], n_in, n_out, gz, plan.stride, nullptr, 0, g, plan.stride, plan.columns);
      for (int i = 0; i < n_in; i++)
        sums[plan.bias_at[k - 1] + i] +=
            rules.differentiate(shape, z + int64_t(i) * plan.kept_stride, g + int64_t(i) * plan.stride);
      std::swap(g, gz);
    }
  }

  void flush() {
    for (int64_t i = 0; i < plan.n_parameters; i++) {
      totals[i] += sums[i];
      sums[i] = 0;
    }
  }
};

template <class Work> void in_parts(int n_parts, Work work) {
#ifdef _OPENMP
#pragma omp parallel num_threads(n_parts) if (n_parts > 1)
  for (int part = omp_get_thread_num(); part < n_parts; part += omp_get_num_threads()) work(part);
#else
  for (int part = 0; part < n_parts; part++) work(part);
#endif
}

template <class R, class Step> int run(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call, Step step) {
  Rules<R> rules;
  int n_kept;
  if (!choose<R>(*net, rules, n_kept)) return -1;
  const Plan<R> plan(*net, call->n_points, call->n_threads, call->n_coefficients, n_kept);
  char *room = static_cast<char *>(call->workspace);
  const Layers<R> layers(plan, *given, reinterpret_cast<R *>(room));
  room += aligned(plan.n_packed * sizeof(R));
  in_parts(call->n_threads, [&](int index) {
    Part<R> part(plan, layers, rules, *call, index, room + index * plan.part_bytes());
    step(part);
  });
  return 0;
}

// Adds the sums of all parts to the gradient, with respect to the weights without slopes, and to the slopes.
template <class R> void reduce(const LaafNetwork &net, const LaafParameters &given, const LaafCall &call, const LaafParameters &found) {
  Rules<R> rules;
  int n_kept = 1;
  choose<R>(net, rules, n_kept);
  const Plan<R> plan(net, call.n_points, call.n_threads, call.n_coefficients, n_kept);
  char *room = static_cast<char *>(call.workspace) + aligned(plan.n_packed * sizeof(R));
  std::vector<double *> totals;
  for (int part = 0; part < call.n_threads; part++)
    totals.push_back(reinterpret_cast<double *>(room + part * plan.part_bytes() + aligned(plan.per_part * sizeof(R))));
  double *total = totals[0];
  for (int part = 1; part < call.n_threads; part++)
    for (int64_t i = 0; i < plan.n_parameters; i++) total[i] += totals[part][i];
  for (int k = 0; k <= plan.depth; k++) {
    const int n_in = plan.width[k], n_out = plan.width[k + 1], n_slopes = k < plan.depth ? net.slope_counts[k] : 0;
    const double *dw = total + plan.weight_at[k], *db = total + plan.bias_at[k];
    const R *weight = static_cast<const R *>(given.weights[k]), *bias = static_cast<const R *>(given.biases[k]);
    for (int o = 0; o < n_out; o++) {
      const double factor = Layers<R>::factor(plan, given, k, o);
      double slope = db[o] * bias[o];
      for (int64_t i = int64_t(o) * n_in; i < int64_t(o + 1) * n_in; i++) {
        static_cast<R *>(found.weights[k])[i] += R(factor * dw[i]);
        slope += dw[i] * weight[i];
      }
      static_cast<R *>(found.biases[k])[o] += R(factor * db[o]);
      if (n_slopes) static_cast<R *>(found.slopes[k])[n_slopes == 1 ? 0 : o] += R(net.scale * slope);
    }
  }
}

// No exception may leave the library, for its caller is no C++: it would end the process. The parts allocate nothing.
template <class Work> auto told(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc &) {
    return -2;
  }
}

template <class R> int forward(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call, void *const *outputs) {
  return told([&] { return run<R>(net, given, call, [&](Part<R> &part) { part.forward(outputs); }); });
}

template <class R>
int backward(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call, void *const *cotangents,
             const LaafParameters *found) {
  return told([&] {
    const int failed = run<R>(net, given, call, [&](Part<R> &part) { part.backward(cotangents); });
    if (!failed) reduce<R>(*net, *given, *call, *found);
    return failed;
  });
}

template <class R> int64_t workspace(const LaafNetwork *net, int64_t n_points, int n_threads, int n_coefficients) {
  Rules<R> rules;
  int n_kept;
  if (!choose<R>(*net, rules, n_kept)) return -1;
  return told([&] { return Plan<R>(*net, n_points, n_threads, n_coefficients, n_kept).workspace(n_threads); });
}

// The lower triangle of H ← scale H + Σ c_r v_r v_rᵀ, and H x of the new H, in one pass over memory; without vectors
// and with scale 1, H is only read. partial: room for n numbers a part.
void symmetric_update(double *h, int64_t n, const double *vectors, const double *coefficients, int n_vectors, double scale,
                      const double *x, double *result, double *partial, int n_parts) {
  const bool changes = n_vectors > 0 || scale != 1;
  in_parts(n_parts, [&](int part) {
    // Rows of equal area below the diagonal.
    auto row = [&](int p) { return int64_t(double(n) * std::sqrt(double(p) / n_parts)); };
    const int64_t begin = row(part), end = part + 1 == n_parts ? n : row(part + 1);
    double *mine = partial + part * n;
    std::fill(mine, mine + n, 0.0);
    for (int64_t i = begin; i < end; i++) {
      double *hi = h + i * n;
      Vec<double> dot{};
      int64_t j = 0;
      double tail = 0;
      for (; j + N_LANES<double> <= i; j += N_LANES<double>) {
        Vec<double> value = load_unaligned<double>(hi + j) * scale;
        for (int r = 0; r < n_vectors; r++)
          value += (coefficients[r] * vectors[r * n + i]) * load_unaligned<double>(vectors + r * n + j);
        if (changes) store_unaligned<double>(hi + j, value);
        dot += value * load_unaligned<double>(x + j);
        store_unaligned<double>(mine + j, load_unaligned<double>(mine + j) + value * x[i]);
      }
      for (; j <= i; j++) {
        hi[j] *= scale;
        for (int r = 0; r < n_vectors; r++) hi[j] += coefficients[r] * vectors[r * n + i] * vectors[r * n + j];
        tail += hi[j] * x[j];
        if (j < i) mine[j] += hi[j] * x[i];
      }
      mine[i] += sum_of_lanes<double>(dot) + tail;
    }
  });
  for (int64_t i = 0; i < n; i++) {
    result[i] = 0;
    for (int part = 0; part < n_parts; part++) result[i] += partial[part * n + i];
  }
}

}  // namespace

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define EXPORT(name) JOIN(name, LAAF_VARIANT)

#include "exports.h"

extern const LaafVariant EXPORT(laaf);
const LaafVariant EXPORT(laaf) = {workspace<float>, workspace<double>, forward<float>,   forward<double>,
                                  backward<float>,  backward<double>,  symmetric_update};
