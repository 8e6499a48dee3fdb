// The functions of the library: those of the variant for this processor, chosen once.
#include <cstdlib>
#include <cstring>

#include "exports.h"

extern const LaafVariant laaf_portable;
#ifdef LAAF_HAS_AVX2
extern const LaafVariant laaf_avx2;
#endif
#ifdef LAAF_HAS_AVX512
extern const LaafVariant laaf_avx512;
#endif

namespace {

struct Choice {
  const char *name;
  const LaafVariant *variant;
};

// LAAF_KERNEL names a lesser variant than the best, for tests and comparisons.
Choice choose() {
  const char *asked = std::getenv("LAAF_KERNEL");
  auto fits = [&](const char *name) { return !asked || !*asked || !std::strcmp(asked, name); };
#ifdef LAAF_HAS_AVX512
  if (fits("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return {"avx512", &laaf_avx512};
#endif
#ifdef LAAF_HAS_AVX2
  if (fits("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2", &laaf_avx2};
#endif
  return {"portable", &laaf_portable};
}

const Choice &choice() {
  static const Choice chosen = choose();
  return chosen;
}

}  // namespace

#define LAAF_API extern "C" __attribute__((visibility("default")))

LAAF_API const char *laaf_variant() { return choice().name; }

LAAF_API int64_t laaf_workspace_f32(const LaafNetwork *net, int64_t n_points, int n_threads, int n_coefficients) {
  return choice().variant->workspace_f32(net, n_points, n_threads, n_coefficients);
}
LAAF_API int laaf_forward_f32(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call, void *const *outputs) {
  return choice().variant->forward_f32(net, given, call, outputs);
}
LAAF_API int laaf_backward_f32(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call,
                               void *const *cotangents, const LaafParameters *gradient) {
  return choice().variant->backward_f32(net, given, call, cotangents, gradient);
}
LAAF_API int64_t laaf_workspace_f64(const LaafNetwork *net, int64_t n_points, int n_threads, int n_coefficients) {
  return choice().variant->workspace_f64(net, n_points, n_threads, n_coefficients);
}
LAAF_API int laaf_forward_f64(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call, void *const *outputs) {
  return choice().variant->forward_f64(net, given, call, outputs);
}
LAAF_API int laaf_backward_f64(const LaafNetwork *net, const LaafParameters *given, const LaafCall *call,
                               void *const *cotangents, const LaafParameters *gradient) {
  return choice().variant->backward_f64(net, given, call, cotangents, gradient);
}
LAAF_API void laaf_symmetric_update(double *h, int64_t n, const double *vectors, const double *coefficients, int n_vectors,
                                    double scale, const double *x, double *result, double *partial, int n_parts) {
  choice().variant->symmetric_update(h, n, vectors, coefficients, n_vectors, scale, x, result, partial, n_parts);
}
