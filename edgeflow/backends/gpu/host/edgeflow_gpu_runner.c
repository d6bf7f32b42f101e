/* Runs the network on this machine's GPU, for its answers or for its times:
 *
 *     edgeflow_gpu_runner answers INPUTS OUTPUTS
 *     edgeflow_gpu_runner times INPUTS TIMES WARM_UP REPETITIONS
 *
 * INPUTS holds rows of int8 values on the integer graph's grid, OUTPUTS gets a row of int8 values for
 * each. TIMES gets nanoseconds as 64-bit integers, one for each repetition, copies of input and output
 * included. edgeflow_kernels.ptx and edgeflow_weights.bin lie beside the runner.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "edgeflow_gpu.h"
#include "edgeflow_gpu_network.h"

enum { BAD_USAGE = 2, FAILED = 3 };

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "edgeflow_gpu_runner: %s: %s\n", what, why);
    exit(FAILED);
}

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fail(path, strerror(errno));
    }
    return file;
}

static void closed(FILE *file, const char *path)
{
    if (fclose(file) != 0) {
        fail(path, strerror(errno));
    }
}

static void give(const int8_t *row)
{
    for (size_t i = 0; i < EDGEFLOW_GPU_INPUTS; i++) {
        edgeflow_gpu_input()[i] = (float)(row[i] - EDGEFLOW_GPU_INPUT_ZERO) * EDGEFLOW_GPU_INPUT_SCALE;
    }
}

static void take(int8_t *row)
{
    for (size_t i = 0; i < EDGEFLOW_GPU_OUTPUTS; i++) {
        double value = round((double)edgeflow_gpu_output()[i] / EDGEFLOW_GPU_OUTPUT_SCALE);
        value += EDGEFLOW_GPU_OUTPUT_ZERO;
        row[i] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
    }
}

static void invoke(void)
{
    if (edgeflow_gpu_invoke() != 0) {
        fail("inference", edgeflow_gpu_error());
    }
}

static void answers(const char *inputs_path, const char *outputs_path)
{
    FILE *inputs = opened(inputs_path, "rb"), *outputs = opened(outputs_path, "wb");
    int8_t row[EDGEFLOW_GPU_INPUTS], answer[EDGEFLOW_GPU_OUTPUTS];
    while (fread(row, sizeof row, 1, inputs) == 1) {
        give(row);
        invoke();
        take(answer);
        if (fwrite(answer, sizeof answer, 1, outputs) != 1) {
            fail(outputs_path, strerror(errno));
        }
    }
    closed(outputs, outputs_path);
    fclose(inputs);
}

static uint64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static void times(const char *inputs_path, const char *times_path, long warm_up, long repetitions)
{
    FILE *inputs = opened(inputs_path, "rb"), *file = opened(times_path, "wb");
    int8_t row[EDGEFLOW_GPU_INPUTS];
    for (long index = 0; index < warm_up + repetitions; index++) {
        if (fread(row, sizeof row, 1, inputs) != 1) {
            rewind(inputs);
            if (fread(row, sizeof row, 1, inputs) != 1) {
                fail(inputs_path, "no input in it");
            }
        }
        give(row);
        const uint64_t start = now_ns();
        invoke();
        const uint64_t took = now_ns() - start;
        if (index >= warm_up && fwrite(&took, sizeof took, 1, file) != 1) {
            fail(times_path, strerror(errno));
        }
    }
    closed(file, times_path);
    fclose(inputs);
}

static void open_beside(void)
{
    char self[PATH_MAX + 1] = "", ptx[PATH_MAX + 32], weights[PATH_MAX + 32];
    if (readlink("/proc/self/exe", self, PATH_MAX) < 0) {
        fail("/proc/self/exe", strerror(errno));
    }
    const char *folder = dirname(self);
    snprintf(ptx, sizeof ptx, "%s/edgeflow_kernels.ptx", folder);
    snprintf(weights, sizeof weights, "%s/edgeflow_weights.bin", folder);
    if (edgeflow_gpu_open(ptx, weights) != 0) {
        fail("the GPU", edgeflow_gpu_error());
    }
}

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "answers") == 0 && count == 4) {
        open_beside();
        answers(arguments[2], arguments[3]);
    } else if (strcmp(command, "times") == 0 && count == 6) {
        open_beside();
        times(arguments[2], arguments[3], strtol(arguments[4], NULL, 10),
              strtol(arguments[5], NULL, 10));
    } else {
        fprintf(stderr, "usage: edgeflow_gpu_runner answers INPUTS OUTPUTS\n"
                        "       edgeflow_gpu_runner times INPUTS TIMES WARM_UP REPETITIONS\n");
        return BAD_USAGE;
    }
    edgeflow_gpu_close();
    return 0;
}
