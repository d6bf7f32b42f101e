/* Runs the model on this machine, for its answers or for its times:
 *
 *     edgeflow_runner answers INPUTS OUTPUTS
 *     edgeflow_runner times INPUTS TIMES WARM_UP REPETITIONS
 *     edgeflow_runner layers INPUTS TIMES WARM_UP REPETITIONS
 *     edgeflow_runner marks INPUTS
 *
 * INPUTS holds rows of EDGEFLOW_INPUT_BYTES int8 values, OUTPUTS gets a row of EDGEFLOW_OUTPUT_BYTES
 * for each. TIMES gets nanoseconds as 64-bit integers of this machine: one for each repetition, or
 * for each repetition those of the clock alone and of each layer, the clock's own in them. Inputs take turns; the first WARM_UP runs are not written.
 * Marks are system calls of a number that no system has, before and after every layer of each input: an
 * emulator that counts instructions sees them, and nothing else happens.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "edgeflow_layer_table.h"
#include "edgeflow_model.h"

enum { BAD_USAGE = 2, FAILED = 3, MARK = 3807 };

static void fail(const char *what, const char *path)
{
    fprintf(stderr, "edgeflow_runner: %s %s: %s\n", what, path, strerror(errno));
    exit(FAILED);
}

static FILE *opened(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fail("cannot open", path);
    }
    return file;
}

static void closed(FILE *file, const char *path)
{
    if (fclose(file) != 0) {
        fail("cannot write", path);
    }
}

static void append(const void *bytes, size_t size, FILE *file, const char *path)
{
    if (fwrite(bytes, 1, size, file) != size) {
        fail("cannot write", path);
    }
}

static void answers(const char *inputs_path, const char *outputs_path)
{
    FILE *inputs = opened(inputs_path, "rb");
    FILE *outputs = opened(outputs_path, "wb");
    while (fread(edgeflow_input(), EDGEFLOW_INPUT_BYTES, 1, inputs) == 1) {
        edgeflow_invoke();
        append(edgeflow_output(), EDGEFLOW_OUTPUT_BYTES, outputs, outputs_path);
    }
    if (ferror(inputs)) {
        fail("cannot read", inputs_path);
    }
    closed(outputs, outputs_path);
    fclose(inputs);
}

struct rows {
    int8_t *bytes;
    size_t count;
};

static struct rows read_rows(const char *path)
{
    FILE *file = opened(path, "rb");
    struct rows rows = {NULL, 0};
    size_t capacity = 0;
    for (;;) {
        if (rows.count == capacity) {
            capacity = capacity == 0 ? 16 : 2 * capacity;
            rows.bytes = realloc(rows.bytes, capacity * EDGEFLOW_INPUT_BYTES);
            if (rows.bytes == NULL) {
                fail("no memory for", path);
            }
        }
        int8_t *row = rows.bytes + rows.count * EDGEFLOW_INPUT_BYTES;
        if (fread(row, EDGEFLOW_INPUT_BYTES, 1, file) != 1) {
            break;
        }
        rows.count++;
    }
    fclose(file);
    if (rows.count == 0) {
        errno = EINVAL;
        fail("no input in", path);
    }
    return rows;
}

static uint64_t now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Stay on the processor that this runs on: a move to another one starts with cold caches. */
static void stay_here(void)
{
    const int here = sched_getcpu();
    cpu_set_t set;
    if (here >= 0) {
        CPU_ZERO(&set);
        CPU_SET((size_t)here, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
}

static void time_whole(uint64_t *times)
{
    const uint64_t start = now_ns();
    edgeflow_invoke();
    times[0] = now_ns() - start;
}

static void time_layers(uint64_t *times)
{
    const uint64_t begin = now_ns();
    times[0] = now_ns() - begin;
    for (size_t layer = 0; layer < edgeflow_layer_count; layer++) {
        const uint64_t start = now_ns();
        edgeflow_layer_functions[layer]();
        times[1 + layer] = now_ns() - start;
    }
}

static void time_runs(void (*run)(uint64_t *), size_t columns, char **arguments)
{
    const char *times_path = arguments[1];
    const long warm_up = strtol(arguments[2], NULL, 10);
    const long repetitions = strtol(arguments[3], NULL, 10);
    struct rows rows = read_rows(arguments[0]);
    FILE *file = opened(times_path, "wb");
    uint64_t *times = calloc(columns, sizeof *times);
    if (times == NULL) {
        fail("no memory for", times_path);
    }
    stay_here();
    for (long index = 0; index < warm_up + repetitions; index++) {
        const size_t row = (size_t)index % rows.count;
        memcpy(edgeflow_input(), rows.bytes + row * EDGEFLOW_INPUT_BYTES, EDGEFLOW_INPUT_BYTES);
        run(times);
        if (index >= warm_up) {
            append(times, columns * sizeof *times, file, times_path);
        }
    }
    closed(file, times_path);
    free(times);
    free(rows.bytes);
}

static void mark(void)
{
    syscall(MARK);
}

/* The first two marks have nothing between them: what lies between them is the marks' own. */
static void mark_layers(const char *inputs_path)
{
    struct rows rows = read_rows(inputs_path);
    mark();
    mark();
    for (size_t row = 0; row < rows.count; row++) {
        memcpy(edgeflow_input(), rows.bytes + row * EDGEFLOW_INPUT_BYTES, EDGEFLOW_INPUT_BYTES);
        for (size_t layer = 0; layer < edgeflow_layer_count; layer++) {
            mark();
            edgeflow_layer_functions[layer]();
            mark();
        }
    }
    free(rows.bytes);
}

int main(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "answers") == 0 && count == 4) {
        answers(arguments[2], arguments[3]);
    } else if (strcmp(command, "times") == 0 && count == 6) {
        time_runs(time_whole, 1, arguments + 2);
    } else if (strcmp(command, "layers") == 0 && count == 6 && edgeflow_layer_count > 0) {
        time_runs(time_layers, 1 + edgeflow_layer_count, arguments + 2);
    } else if (strcmp(command, "marks") == 0 && count == 3) {
        mark_layers(arguments[2]);
    } else {
        fprintf(stderr, "usage: edgeflow_runner answers INPUTS OUTPUTS\n"
                        "       edgeflow_runner times INPUTS TIMES WARM_UP REPETITIONS\n"
                        "       edgeflow_runner layers INPUTS TIMES WARM_UP REPETITIONS\n"
                        "       edgeflow_runner marks INPUTS\n");
        return BAD_USAGE;
    }
    return 0;
}
