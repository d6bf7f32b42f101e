#include "edgeflow_gpu.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "edgeflow_cuda.h"
#include "edgeflow_gpu_network.h"

#define MEMBER(name, symbol, parameters) CUresult(*name) parameters;
static struct {
    EDGEFLOW_CUDA_FUNCTIONS(MEMBER)
} cuda;

static char message[256] = "not opened";
static CUcontext context;
static CUdeviceptr memory;
static CUstream stream;
static CUgraphExec graph;
static unsigned char *given, *got; /* pinned, in the type that kernels store */
static float input[EDGEFLOW_GPU_INPUTS], output[EDGEFLOW_GPU_OUTPUTS];

static int failed(const char *what, const char *why)
{
    snprintf(message, sizeof message, "%s: %s", what, why);
    return 1;
}

static int told(const char *what, CUresult result)
{
    const char *why = NULL;
    if (cuda.GetErrorString != NULL) {
        cuda.GetErrorString(result, &why);
    }
    return failed(what, why == NULL ? "unknown error" : why);
}

#define TRY(name, ...)                                                                               \
    do {                                                                                             \
        const CUresult result = cuda.name(__VA_ARGS__);                                              \
        if (result != CUDA_SUCCESS) {                                                                \
            return told(#name, result);                                                              \
        }                                                                                            \
    } while (0)

static int load_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    if (library == NULL) {
        return failed("libcuda.so.1", dlerror());
    }
#define FIND(name, symbol, parameters)                                                               \
    *(void **)&cuda.name = dlsym(library, symbol);                                                   \
    if (cuda.name == NULL) {                                                                         \
        return failed("libcuda.so.1 lacks", symbol);                                                 \
    }
    EDGEFLOW_CUDA_FUNCTIONS(FIND)
    return 0;
}

/* The whole file with a zero behind it; NULL where it cannot be read. */
static char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
        const long length = ftell(file);
        rewind(file);
        bytes = length < 0 ? NULL : calloc((size_t)length + 1, 1);
        if (bytes != NULL && fread(bytes, 1, (size_t)length, file) != (size_t)length) {
            free(bytes);
            bytes = NULL;
        }
        *size = length < 0 ? 0 : (size_t)length;
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

static int load_weights(const char *path)
{
    size_t size = 0;
    char *bytes = read_file(path, &size);
    if (bytes == NULL || size != EDGEFLOW_GPU_WEIGHT_BYTES) {
        free(bytes);
        return failed(path, "cannot be read, or is not this network's");
    }
    const CUresult result = cuda.MemcpyHtoD(memory, bytes, size);
    free(bytes);
    return result == CUDA_SUCCESS ? 0 : told("weights", result);
}

/* Weights come first in the network's memory, then every tensor in a place of its own. */
static int launch_all(CUmodule module)
{
    for (size_t at = 0; at < EDGEFLOW_GPU_LAUNCHES; at++) {
        const struct edgeflow_launch *launch = &edgeflow_launches[at];
        CUdeviceptr places[EDGEFLOW_GPU_MOST_ARGUMENTS];
        void *arguments[EDGEFLOW_GPU_MOST_ARGUMENTS];
        CUfunction function;
        TRY(ModuleGetFunction, &function, module, launch->kernel);
        for (unsigned i = 0; i < launch->count; i++) {
            places[i] = memory + launch->offsets[i];
            arguments[i] = &places[i];
        }
        TRY(LaunchKernel, function, launch->blocks, 1, 1, launch->outputs, launch->parts, 1, 0,
            stream, arguments, NULL);
    }
    return 0;
}

static int capture(CUmodule module)
{
    CUgraph captured;
    TRY(StreamBeginCapture, stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
    TRY(MemcpyHtoDAsync, memory + EDGEFLOW_GPU_INPUT_AT, given,
        EDGEFLOW_GPU_INPUTS * EDGEFLOW_GPU_VALUE_BYTES, stream);
    if (launch_all(module) != 0) {
        return 1;
    }
    TRY(MemcpyDtoHAsync, got, memory + EDGEFLOW_GPU_OUTPUT_AT,
        EDGEFLOW_GPU_OUTPUTS * EDGEFLOW_GPU_VALUE_BYTES, stream);
    TRY(StreamEndCapture, stream, &captured);
    TRY(GraphInstantiate, &graph, captured, NULL, NULL, 0);
    return 0;
}

int edgeflow_gpu_open(const char *ptx, const char *weights)
{
    CUdevice device;
    CUmodule module;
    size_t size;
    if (load_driver() != 0) {
        return 1;
    }
    TRY(Init, 0);
    TRY(DeviceGet, &device, 0);
    TRY(CtxCreate, &context, 0, device);
    char *text = read_file(ptx, &size);
    if (text == NULL) {
        return failed(ptx, "cannot be read");
    }
    const CUresult loaded = cuda.ModuleLoadData(&module, text);
    free(text);
    if (loaded != CUDA_SUCCESS) {
        return told(ptx, loaded);
    }
    TRY(MemAlloc, &memory, EDGEFLOW_GPU_MEMORY_BYTES);
    TRY(MemAllocHost, (void **)&given, EDGEFLOW_GPU_INPUTS * EDGEFLOW_GPU_VALUE_BYTES);
    TRY(MemAllocHost, (void **)&got, EDGEFLOW_GPU_OUTPUTS * EDGEFLOW_GPU_VALUE_BYTES);
    TRY(StreamCreate, &stream, CU_STREAM_NON_BLOCKING);
    if (load_weights(weights) != 0) {
        return 1;
    }
    return capture(module);
}

float *edgeflow_gpu_input(void)
{
    return input;
}

const float *edgeflow_gpu_output(void)
{
    return output;
}

#if EDGEFLOW_GPU_VALUE_BYTES == 2
typedef _Float16 stored;
#else
typedef float stored;
#endif

int edgeflow_gpu_invoke(void)
{
    stored *from = (stored *)given;
    const stored *to = (const stored *)got;
    for (size_t i = 0; i < EDGEFLOW_GPU_INPUTS; i++) {
        from[i] = (stored)input[i];
    }
    TRY(GraphLaunch, graph, stream);
    TRY(StreamSynchronize, stream);
    for (size_t i = 0; i < EDGEFLOW_GPU_OUTPUTS; i++) {
        output[i] = (float)to[i];
    }
    return 0;
}

const char *edgeflow_gpu_error(void)
{
    return message;
}

void edgeflow_gpu_close(void)
{
    if (context != NULL) {
        cuda.CtxDestroy(context);
        context = NULL;
    }
}
