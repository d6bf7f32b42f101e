/* Kernels of one network: threads of a block are outputs of a layer x parts of their sums.
 * Compiled by NVRTC without any header, and by a C++ compiler for a processor to be checked there. */
#ifdef __CUDACC_RTC__

struct half {
    unsigned short bits;
    __device__ half(float value) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); }
    __device__ operator float() const
    {
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
        return value;
    }
};

#else

#include <math.h>

#define __global__
#define __launch_bounds__(threads)
#define __shared__ static
#define alignas(bytes) __attribute__((aligned(bytes)))
extern "C" void __syncthreads(void);
typedef _Float16 half;
struct edgeflow_index {
    unsigned x, y;
};
static edgeflow_index threadIdx, blockIdx;
template <class T> static T max(T a, T b) { return a < b ? b : a; }
template <class T> static T min(T a, T b) { return b < a ? b : a; }

#endif
