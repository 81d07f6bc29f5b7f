// One token of every active sequence through all layers of a Llama-like decoder, in fp32 over weights of fp32 or bf16.
//
// A step of a small batch is bound by the weights' way from memory. So each weight is read once a step, as it is stored,
// and widened in a register; activations stay in the cache. A sequence gets the same bits alone and among others.

#include "products.h"

extern "C" {
struct Layer {  // the same fields, in this order, as structures.Layer
    const void *q, *k, *v, *o, *gate, *up, *down;
    const float *q_bias, *k_bias, *v_bias, *before_attention, *before_mlp, *q_norm, *k_norm;
    float *keys, *values;
    int64_t heads, kv_heads, ffn, window;
    float scale, attention_eps, mlp_eps, head_eps;
};
struct Decoder {  // as structures.Decoder
    const Layer *layers;
    const void *embedding;
    const float *norm, *cosines, *sines;
    int64_t count, width, head_dim, length;
    int64_t bf16, embedding_bf16;
    float eps;
};
struct Room {  // as structures.Room: [rows, …] each, `scores` a thread's own
    float *hidden, *normed, *qkv, *heads, *gated, *scores;
    int64_t scores_each, qkv_width, heads_width, ffn_width;
};
}

static vec exponential(vec x) {  // e^x for x <= 0, as Cephes' expf: within two units in the last place
    const vec low = vec{} - 87.0f;
    x = x < low ? low : x;
    vec n = x * 1.44269504088896341f;
    ints whole = __builtin_convertvector(n - 0.5f, ints);
    n = __builtin_convertvector(whole, vec);
    x = x - n * 0.693359375f;
    x = x - n * -2.12194440e-4f;
    vec y = vec{} + 1.9875691500e-4f;
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * (x * x) + x + 1.0f;
    return y * (vec)((whole + 127) << 23);
}

static void normed(const float *x, const float *weight, float eps, int64_t width, float *out) {
    vec squares = {};
    int64_t i = 0;
    for (; i + V <= width; i += V) squares += at(x + i) * at(x + i);
    float sum = total(squares);
    for (int64_t j = i; j < width; j++) sum += x[j] * x[j];
    float scale = 1.0f / std::sqrt(sum / width + eps);
    for (int64_t j = 0; j < width; j++) out[j] = x[j] * scale * weight[j];
}

// Pairs side by side, as cpu_layer._rotated leaves them: prefill writes keys of that form.
static void rotated(const float *x, const float *cosines, const float *sines, int64_t dim, float *out) {
    for (int64_t i = 0; i < dim / 2; i++) {
        float a = x[i], b = x[i + dim / 2];
        out[2 * i] = a * cosines[i] - b * sines[i];
        out[2 * i + 1] = a * sines[i] + b * cosines[i];
    }
}

// Σ weight · value over the keys seen, for G queries that share them; N vectors of the head at a time.
template <int G, int N>
static void weighted(const float *weights, int64_t stride, const float *values, int64_t seen, int64_t dim, float *out) {
    vec sums[G][N] = {};
    for (int64_t t = 0; t < seen; t++)
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) {
            vec value = at(values + t * dim + n * V);
#pragma GCC unroll 4
            for (int g = 0; g < G; g++) sums[g][n] = fused(vec{} + weights[g * stride + t], value, sums[g][n]);
        }
    for (int g = 0; g < G; g++)
        for (int n = 0; n < N; n++) put(out + g * dim + n * V, sums[g][n]);
}

template <int G>
static void weighted_head(const float *weights, int64_t stride, const float *values, int64_t seen, int64_t dim, float *out) {
    int64_t i = 0;
    for (; i + 4 * V <= dim; i += 4 * V) weighted<G, 4>(weights, stride, values + i, seen, dim, out + i);
    for (; i + V <= dim; i += V) weighted<G, 1>(weights, stride, values + i, seen, dim, out + i);
    for (; i < dim; i++)
        for (int g = 0; g < G; g++) {
            float sum = 0;
            for (int64_t t = 0; t < seen; t++) sum += weights[g * stride + t] * values[t * dim + i];
            out[g * dim + i] = sum;
        }
}

static void softmax(float *x, int64_t size) {
    float largest = x[0];
    for (int64_t i = 1; i < size; i++) largest = x[i] > largest ? x[i] : largest;
    int64_t padded = (size + V - 1) / V * V;
    for (int64_t i = size; i < padded; i++) x[i] = -INFINITY;
    float sum = 0;
    for (int64_t i = 0; i < padded; i += V) put(x + i, exponential(at(x + i) - largest));
    for (int64_t i = 0; i < size; i++) sum += x[i];
    for (int64_t i = 0; i < size; i++) x[i] /= sum;
}

// The queries of one sequence that share a key head, over the keys of their slot.
static void attended(const Decoder &d, const Layer &l, int64_t row, int64_t head, int64_t position, const float *qkv,
                     float *out, float *scores) {
    int64_t dim = d.head_dim, group = l.heads / l.kv_heads, stride = (d.length + V) / V * V;
    const float *cosines = d.cosines + position * (dim / 2), *sines = d.sines + position * (dim / 2);
    float *keys = l.keys + (row * l.kv_heads + head) * d.length * dim;
    float *values = l.values + (row * l.kv_heads + head) * d.length * dim;
    float held[dim], queries[group * dim];
    const float *k = qkv + (l.heads + head) * dim;
    if (l.k_norm) normed(k, l.k_norm, l.head_eps, dim, held), k = held;
    rotated(k, cosines, sines, dim, keys + position * dim);
    std::memcpy(values + position * dim, qkv + (l.heads + l.kv_heads + head) * dim, dim * sizeof(float));
    int64_t first = l.window && position >= l.window ? position - l.window + 1 : 0, seen = position + 1 - first;
    for (int64_t g = 0; g < group; g++) {
        const float *q = qkv + (head * group + g) * dim;
        if (l.q_norm) normed(q, l.q_norm, l.head_eps, dim, held), q = held;
        rotated(q, cosines, sines, dim, queries + g * dim);
    }
    products(queries, group, dim, keys + first * dim, dim, 0, seen,
             [&](int64_t g, int64_t t, float sum) { scores[g * stride + t] = l.scale * sum; });
    for (int64_t g = 0; g < group; g++) softmax(scores + g * stride, seen);
    float *sums = out + head * group * dim;
    const float *from = values + first * dim;
    int64_t g = 0;
    for (; g + 3 <= group; g += 3) weighted_head<3>(scores + g * stride, stride, from, seen, dim, sums + g * dim);
    for (; g < group; g++) weighted_head<1>(scores + g * stride, stride, from, seen, dim, sums + g * dim);
}

template <class W>
static void run(const Decoder &d, const Room &r, int64_t rows, const int64_t *tokens, const int64_t *positions, int thread,
                int threads) {
    int64_t from, to, width = d.width;
    span(rows, thread, threads, 1, from, to);
    for (int64_t m = from; m < to; m++)
        for (int64_t i = 0; i < width; i++)
            r.hidden[m * width + i] = d.embedding_bf16 ? one((const uint16_t *)d.embedding + tokens[m] * width + i)
                                                       : ((const float *)d.embedding)[tokens[m] * width + i];
    for (int64_t number = 0; number < d.count; number++) {
        const Layer &l = d.layers[number];
        int64_t q = l.heads * d.head_dim, kv = l.kv_heads * d.head_dim, stride = r.qkv_width;
        span(rows, thread, threads, 1, from, to);
        for (int64_t m = from; m < to; m++)
            normed(r.hidden + m * width, l.before_attention, l.attention_eps, width, r.normed + m * width);
#pragma omp barrier
        const void *parts[] = {l.q, l.k, l.v};
        const float *biases[] = {l.q_bias, l.k_bias, l.v_bias};
        int64_t sizes[] = {q, kv, kv}, offset = 0;
        for (int part = 0; part < 3; offset += sizes[part++]) {
            span(sizes[part], thread, threads, 8, from, to);
            const float *bias = biases[part];
            products(r.normed, rows, width, (const W *)parts[part], width, from, to, [&](int64_t m, int64_t n, float s) {
                r.qkv[m * stride + offset + n] = bias ? s + bias[n] : s;
            });
        }
#pragma omp barrier
        span(rows * l.kv_heads, thread, threads, 1, from, to);
        for (int64_t task = from; task < to; task++) {
            int64_t m = task / l.kv_heads;
            attended(d, l, m, task % l.kv_heads, positions[m], r.qkv + m * stride, r.heads + m * r.heads_width,
                     r.scores + thread * r.scores_each);
        }
#pragma omp barrier
        auto add = [&](int64_t m, int64_t n, float s) { r.hidden[m * width + n] += s; };
        span(width, thread, threads, 8, from, to);
        products(r.heads, rows, r.heads_width, (const W *)l.o, q, from, to, add);
#pragma omp barrier
        span(rows, thread, threads, 1, from, to);
        for (int64_t m = from; m < to; m++)
            normed(r.hidden + m * width, l.before_mlp, l.mlp_eps, width, r.normed + m * width);
#pragma omp barrier
        span(l.ffn, thread, threads, 8, from, to);
        products(r.normed, rows, width, (const W *)l.gate, width, from, to, [&](int64_t m, int64_t n, float s) {
            r.gated[m * r.ffn_width + n] = s / (1.0f + std::exp(-s));
        });
        products(r.normed, rows, width, (const W *)l.up, width, from, to, [&](int64_t m, int64_t n, float s) {
            r.gated[m * r.ffn_width + n] *= s;
        });
#pragma omp barrier
        span(width, thread, threads, 8, from, to);
        products(r.gated, rows, r.ffn_width, (const W *)l.down, l.ffn, from, to, add);
#pragma omp barrier
    }
}

extern "C" void minizoo_step(const Decoder *d, const Room *r, int64_t rows, const int64_t *tokens, const int64_t *positions,
                             float *out, int threads) {
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), team = omp_get_num_threads();
        if (d->bf16) run<uint16_t>(*d, *r, rows, tokens, positions, thread, team);
        else run<float>(*d, *r, rows, tokens, positions, thread, team);
        int64_t from, to;
        span(rows, thread, team, 1, from, to);
        for (int64_t m = from; m < to; m++)
            normed(r->hidden + m * d->width, d->norm, d->eps, d->width, out + m * d->width);
    }
}

extern "C" void minizoo_product(const float *x, int64_t rows, int64_t k, const void *w, int64_t n, int64_t bf16, float *out,
                                int threads) {
#pragma omp parallel num_threads(threads)
    {
        int64_t from, to;
        span(n, omp_get_thread_num(), omp_get_num_threads(), 8, from, to);
        auto done = [&](int64_t m, int64_t j, float s) { out[m * n + j] = s; };
        if (bf16) products(x, rows, k, (const uint16_t *)w, k, from, to, done);
        else products(x, rows, k, (const float *)w, k, from, to, done);
    }
}
