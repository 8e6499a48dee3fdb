// What each variant offers, as a table of functions that the dispatcher chooses among.
#ifndef LAAF_EXPORTS_H
#define LAAF_EXPORTS_H

#include "kernel.h"

typedef int64_t Workspace(const LaafNetwork *, int64_t n_points, int n_threads, int n_coefficients);
typedef int Forward(const LaafNetwork *, const LaafParameters *, const LaafCall *, void *const *outputs);
typedef int Backward(const LaafNetwork *, const LaafParameters *, const LaafCall *, void *const *cotangents,
                     const LaafParameters *gradient);
typedef void SymmetricUpdate(double *h, int64_t n, const double *vectors, const double *coefficients, int n_vectors,
                             double scale, const double *x, double *result, double *partial, int n_parts);

struct LaafVariant {
  Workspace *workspace_f32, *workspace_f64;
  Forward *forward_f32, *forward_f64;
  Backward *backward_f32, *backward_f64;
  SymmetricUpdate *symmetric_update;
};

#endif
