/* A driver without a GPU: what is launched runs on the processor when the graph is launched: the
 * threads of a block take turns, each until it ends or waits for the others. The kernels are those of the bundle, compiled as C++; KERNELS and their calls come from
 * the test. Everything that the host part may do wrong ends the process. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "edgeflow_cuda.h"

typedef void (*call)(void **arguments);
struct kernel {
    const char *name;
    unsigned count;
    call run;
};
extern const struct kernel test_kernels[];
extern const unsigned test_kernel_count;
void test_place(unsigned block, unsigned x, unsigned y);

enum { MOST_THREADS = 1024, STACK = 65536 };
enum { MOST = 256, COPY_IN, COPY_OUT, LAUNCH };
static struct step {
    int what;
    const struct kernel *kernel;
    unsigned blocks, outputs, parts;
    CUdeviceptr arguments[16];
    void *to;
    const void *from;
    size_t size;
} steps[MOST];
static unsigned count, capturing, instantiated;
static char *memory;
static size_t memory_size;

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "driver: %s\n", what);
        abort();
    }
}

static int inside(CUdeviceptr at, size_t size)
{
    return at >= (CUdeviceptr)(uintptr_t)memory &&
           at + size <= (CUdeviceptr)(uintptr_t)memory + memory_size;
}

CUresult cuInit(unsigned flags)
{
    return getenv("TEST_NO_GPU") != NULL ? 100 : flags;
}
CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    *device = ordinal;
    return 0;
}
CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device)
{
    *context = (CUcontext)steps;
    return (CUresult)flags + device;
}
CUresult cuCtxDestroy_v2(CUcontext context)
{
    must(context == (CUcontext)steps, "another context");
    return 0;
}
CUresult cuGetErrorString(CUresult result, const char **text)
{
    *text = result == 100 ? "no CUDA-capable device is detected" : "error of the test";
    return 0;
}
CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
    must(strstr(image, ".version") != NULL && strstr(image, ".target sm_") != NULL, "no PTX");
    *module = (CUmodule)steps;
    return 0;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    must(module == (CUmodule)steps, "another module");
    for (unsigned i = 0; i < test_kernel_count; i++) {
        if (strcmp(test_kernels[i].name, name) == 0) {
            *function = (CUfunction)&test_kernels[i];
            return 0;
        }
    }
    return 500;
}
CUresult cuMemAlloc_v2(CUdeviceptr *at, size_t size)
{
    must(memory == NULL, "a second allocation");
    memory = malloc(size);
    memset(memory, 0x7f, size);
    memory_size = size;
    *at = (CUdeviceptr)(uintptr_t)memory;
    return 0;
}
CUresult cuMemAllocHost_v2(void **at, size_t size)
{
    *at = malloc(size);
    return 0;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t size)
{
    must(!capturing && inside(to, size), "weights outside of the memory");
    memcpy((void *)(uintptr_t)to, from, size);
    return 0;
}
static struct step *next(int what)
{
    must(capturing && count < MOST, "a step that is not captured");
    steps[count].what = what;
    return &steps[count++];
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, CUstream stream)
{
    must(stream != NULL && inside(to, size), "input outside of the memory");
    struct step *step = next(COPY_IN);
    step->to = (void *)(uintptr_t)to;
    step->from = from;
    step->size = size;
    return 0;
}
CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, CUstream stream)
{
    must(stream != NULL && inside(from, size), "output outside of the memory");
    struct step *step = next(COPY_OUT);
    step->to = to;
    step->from = (void *)(uintptr_t)from;
    step->size = size;
    return 0;
}
CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
    *stream = (CUstream)steps;
    return flags == CU_STREAM_NON_BLOCKING ? 0 : 1;
}
CUresult cuStreamSynchronize(CUstream stream)
{
    must(stream != NULL, "no stream");
    return 0;
}
CUresult cuStreamBeginCapture_v2(CUstream stream, int mode)
{
    must(stream != NULL && mode == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, "how it captures");
    capturing = 1;
    return 0;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph)
{
    must(capturing && stream != NULL, "no capture");
    capturing = 0;
    *graph = (CUgraph)steps;
    return 0;
}
CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *node, char *log,
                            size_t size)
{
    must(graph != NULL && node == NULL && log == NULL && size == 0, "another graph");
    instantiated = 1;
    *exec = (CUgraphExec)steps;
    return 0;
}
CUresult cuLaunchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned tx,
                        unsigned ty, unsigned tz, unsigned shared, CUstream stream,
                        void **arguments, void **extra)
{
    must(y == 1 && z == 1 && tz == 1 && tx * ty <= MOST_THREADS && shared == 0 && extra == NULL, "dimensions");
    must(stream != NULL, "no stream");
    struct step *step = next(LAUNCH);
    step->kernel = (const struct kernel *)function;
    step->blocks = x;
    step->outputs = tx;
    step->parts = ty;
    for (unsigned i = 0; i < step->kernel->count; i++) {
        step->arguments[i] = *(CUdeviceptr *)arguments[i];
        must(inside(step->arguments[i], 1), "an argument outside of the memory");
    }
    return 0;
}
/* Threads of the block that runs: contexts of their own, as only they can wait for one another. */
static struct thread {
    ucontext_t context;
    int ended;
    char stack[STACK];
} *threads, *running;
static ucontext_t block_context;
static struct step *block_step;

void __syncthreads(void)
{
    swapcontext(&running->context, &block_context);
}

static void run_kernel(const struct step *step)
{
    void *arguments[16];
    for (unsigned k = 0; k < step->kernel->count; k++) {
        arguments[k] = (void *)(uintptr_t)step->arguments[k];
    }
    step->kernel->run(arguments);
}

static void run_thread(void)
{
    run_kernel(block_step);
    running->ended = 1;
}

/* From barrier to barrier; all threads reach the same ones, or all end. */
static void run_block(struct step *step, unsigned block)
{
    const unsigned all = step->outputs * step->parts;
    unsigned ended = 0;
    block_step = step;
    for (unsigned i = 0; i < all; i++) {
        threads[i].ended = 0;
        getcontext(&threads[i].context);
        threads[i].context.uc_stack.ss_sp = threads[i].stack;
        threads[i].context.uc_stack.ss_size = STACK;
        threads[i].context.uc_link = &block_context;
        makecontext(&threads[i].context, run_thread, 0);
    }
    while (ended == 0) {
        for (unsigned i = 0; i < all; i++) {
            running = &threads[i];
            test_place(block, i % step->outputs, i / step->outputs);
            swapcontext(&block_context, &running->context);
            ended += (unsigned)running->ended;
        }
    }
    must(ended == all, "threads of a block met different barriers");
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream)
{
    must(instantiated && exec != NULL && stream != NULL, "no graph");
    if (threads == NULL) {
        threads = calloc(MOST_THREADS, sizeof *threads);
        must(threads != NULL, "no memory for threads");
    }
    for (unsigned i = 0; i < count; i++) {
        struct step *step = &steps[i];
        if (step->what != LAUNCH) {
            memcpy(step->to, step->from, step->size);
            continue;
        }
        for (unsigned block = 0; block < step->blocks; block++) {
            if (step->parts > 1) {
                run_block(step, block);
                continue;
            }
            for (unsigned thread = 0; thread < step->outputs; thread++) {
                test_place(block, thread, 0);
                run_kernel(step);
            }
        }
    }
    return 0;
}
