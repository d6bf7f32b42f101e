/* The part of NVIDIA's driver interface that is used here, found in the library when it is loaded.
 * Names with a version are those that drivers have had since CUDA 10. */
#ifndef EDGEFLOW_CUDA_H
#define EDGEFLOW_CUDA_H

#include <stddef.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphNode_st *CUgraphNode;
typedef struct CUgraphExec_st *CUgraphExec;

enum { CUDA_SUCCESS = 0, CU_STREAM_NON_BLOCKING = 1, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1 };

#define EDGEFLOW_CUDA_FUNCTIONS(X)                                                                   \
    X(Init, "cuInit", (unsigned))                                                                    \
    X(DeviceGet, "cuDeviceGet", (CUdevice *, int))                                                   \
    X(CtxCreate, "cuCtxCreate_v2", (CUcontext *, unsigned, CUdevice))                                \
    X(CtxDestroy, "cuCtxDestroy_v2", (CUcontext))                                                    \
    X(GetErrorString, "cuGetErrorString", (CUresult, const char **))                                 \
    X(ModuleLoadData, "cuModuleLoadData", (CUmodule *, const void *))                                \
    X(ModuleGetFunction, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))              \
    X(MemAlloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))                                            \
    X(MemAllocHost, "cuMemAllocHost_v2", (void **, size_t))                                          \
    X(MemcpyHtoD, "cuMemcpyHtoD_v2", (CUdeviceptr, const void *, size_t))                            \
    X(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2", (CUdeviceptr, const void *, size_t, CUstream))        \
    X(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2", (void *, CUdeviceptr, size_t, CUstream))              \
    X(StreamCreate, "cuStreamCreate", (CUstream *, unsigned))                                        \
    X(StreamSynchronize, "cuStreamSynchronize", (CUstream))                                          \
    X(StreamBeginCapture, "cuStreamBeginCapture_v2", (CUstream, int))                                \
    X(StreamEndCapture, "cuStreamEndCapture", (CUstream, CUgraph *))                                 \
    X(GraphInstantiate, "cuGraphInstantiate",                                                        \
      (CUgraphExec *, CUgraph, CUgraphNode *, char *, size_t))                                       \
    X(GraphLaunch, "cuGraphLaunch", (CUgraphExec, CUstream))                                         \
    X(LaunchKernel, "cuLaunchKernel",                                                                \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream,   \
       void **, void **))

#endif
