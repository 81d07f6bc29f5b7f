// Products of a few rows of fp32 with a matrix of fp32 or bf16, each sum in one order whatever the rows and the threads.
// Vectors are GCC's, which any processor lowers to its own.

#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <omp.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifdef __AVX512F__
constexpr int V = 16;
#else
constexpr int V = 8;
#endif
typedef float vec __attribute__((vector_size(4 * V)));
typedef float vec_at __attribute__((vector_size(4 * V), aligned(4), may_alias));
typedef int32_t ints __attribute__((vector_size(4 * V)));
typedef uint32_t wide __attribute__((vector_size(4 * V)));
typedef uint16_t half_at __attribute__((vector_size(2 * V), aligned(2), may_alias));

static inline vec at(const float *p) { return *(const vec_at *)p; }
static inline wide widened(const uint16_t *p) {
#if defined(__AVX512F__)
    return (wide)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
#elif defined(__AVX2__)  // GCC makes four instructions of the one
    return (wide)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
#else
    return __builtin_convertvector(*(const half_at *)p, wide);
#endif
}
static inline vec at(const uint16_t *p) { return (vec)(widened(p) << 16); }
static inline float one(const float *p) { return *p; }
static inline float one(const uint16_t *p) {
    uint32_t bits = (uint32_t)*p << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}
static inline vec fused(vec a, vec b, vec c) {  // a · b + c; left to GCC it is one rounding here and two there
#if defined(__AVX512F__)
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__) && defined(__FMA__)
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
static inline void put(float *p, vec x) { *(vec_at *)p = x; }
static inline float total(vec x) {
    typedef float quarter __attribute__((vector_size(16)));
    union { vec whole; quarter parts[V / 4]; } sum = {x};
#pragma GCC unroll 4
    for (int half = V / 8; half; half /= 2)
#pragma GCC unroll 4
        for (int i = 0; i < half; i++) sum.parts[i] += sum.parts[i + half];
    quarter q = sum.parts[0];
    return (q[0] + q[2]) + (q[1] + q[3]);
}

static inline void span(int64_t size, int thread, int threads, int64_t grain, int64_t &from, int64_t &to) {
    int64_t share = ((size + threads - 1) / threads + grain - 1) / grain * grain;
    from = std::min(size, share * thread), to = std::min(size, from + share);
}

// Products x · wᵀ. A tile is M rows of x by N rows of w: as many sums as fill the registers.
template <int M, int N, class W, class Put>
static inline void tile(const float *x, int64_t x_step, const W *w, int64_t k, Put done) {
    vec sums[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) sums[m][n] = vec{};
    int64_t i = 0;
    for (; i + V <= k; i += V) {
        if constexpr (M > N) {  // the fewer ones are held: 4 × 3 sums leave four of sixteen registers
            vec ws[N];
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) ws[n] = at(w + n * k + i);
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) {
                vec xs = at(x + m * x_step + i);
#pragma GCC unroll 8
                for (int n = 0; n < N; n++) sums[m][n] = fused(xs, ws[n], sums[m][n]);
            }
        } else {
            vec xs[M];
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) xs[m] = at(x + m * x_step + i);
#pragma GCC unroll 8
            for (int n = 0; n < N; n++) {
                vec ws = at(w + n * k + i);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) sums[m][n] = fused(xs[m], ws, sums[m][n]);
            }
        }
        // The rows that follow, in their order: a processor's own prefetching begins anew with each short row.
        const char *next = (const char *)(w + N * k + i * N);
#pragma GCC unroll 8
        for (int line = 0; line < int(N * V * sizeof(W)); line += 64) __builtin_prefetch(next + line, 0, 2);
    }
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) {
            float sum = total(sums[m][n]);
            for (int64_t j = i; j < k; j++) sum += x[m * x_step + j] * one(w + n * k + j);
            done(m, n, sum);
        }
}

template <int M, int N, class W, class Put>
static void rows_of(const float *x, int64_t x_step, const W *w, int64_t k, int64_t from, int64_t to, Put done) {
    int64_t n = from;
    for (; n + N <= to; n += N)
        tile<M, N>(x, x_step, w + n * k, k, [&](int m, int j, float s) { done(m, n + j, s); });
    for (; n < to; n++) tile<M, 1>(x, x_step, w + n * k, k, [&](int m, int, float s) { done(m, n, s); });
}

constexpr int64_t BLOCK = 24;  // rows of w that all rows of x meet while they are in the cache

template <class W, class Put>
static void products(const float *x, int64_t rows, int64_t x_step, const W *w, int64_t k, int64_t from, int64_t to, Put done) {
    for (int64_t n = from; n < to; n += BLOCK) {
        int64_t stop = std::min(to, n + BLOCK), m = 0;
        if constexpr (V == 16)  // 8 × 3 sums leave eight of thirty-two registers, and w is read half as often
            for (; m + 8 <= rows; m += 8)
                rows_of<8, 3>(x + m * x_step, x_step, w, k, n, stop, [&](int i, int64_t j, float s) { done(m + i, j, s); });
        for (; m + 4 <= rows; m += 4)
            rows_of<4, 3>(x + m * x_step, x_step, w, k, n, stop, [&](int i, int64_t j, float s) { done(m + i, j, s); });
        const float *rest = x + m * x_step;
        auto put_rest = [&](int i, int64_t j, float s) { done(m + i, j, s); };
        if (rows - m == 3) rows_of<3, 4>(rest, x_step, w, k, n, stop, put_rest);
        if (rows - m == 2) rows_of<2, 6>(rest, x_step, w, k, n, stop, put_rest);
        if (rows - m == 1) rows_of<1, 8>(rest, x_step, w, k, n, stop, put_rest);
    }
}
