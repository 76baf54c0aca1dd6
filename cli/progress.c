#include "progress.h"

#include "output.h"
#include "units.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
    bool on;
    bool shown;
    bool colour;
    uint64_t done;
    uint64_t total;
    double began;
    double drawn;
} state;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void progress_begin(uint64_t total) {
    memset(&state, 0, sizeof state);
    state.on = total > 0 && isatty(STDERR_FILENO) == 1;
    state.total = total;
    if (state.on) {
        state.colour = output_wants_colour();
        state.began = state.drawn = now();
    }
}

static void draw(double time) {
    double seconds = time - state.began;
    double rate = (double)state.done / seconds;
    double left = rate > 0 ? (double)(state.total - state.done) / rate : 0;
    struct units done = units_bytes(state.done);
    struct units total = units_bytes(state.total);
    struct units speed = units_bytes((uint64_t)rate);
    char line[160];
    int length =
        snprintf(line, sizeof line, "\r%s%3.0f%%%s  %s of %s  %s/s  %.0f s left   ",
                 state.colour ? "\033[32m" : "", 100.0 * (double)state.done / (double)state.total,
                 state.colour ? "\033[0m" : "", done.text, total.text, speed.text, left);
    if (length > 0 && write(STDERR_FILENO, line, (size_t)length) > 0) {
        state.shown = true;
    }
    state.drawn = time;
}

void progress_set(uint64_t done, uint64_t total) {
    if (!state.on) {
        return;
    }
    state.total = total;
    state.done = done < total ? done : total;
    double time = now();
    if (state.total > 0 && time - state.began >= 1.0 && time - state.drawn >= 0.1) {
        draw(time);
    }
}

void progress_add(uint64_t bytes) {
    progress_set(state.done + bytes, state.total);
}

void progress_clear(void) {
    if (state.shown) {
        static const char blank[] =
            "\r                                                             "
            "                  \r";
        if (write(STDERR_FILENO, blank, sizeof blank - 1) > 0) {
            state.shown = false;
        }
    }
}

void progress_end(void) {
    progress_clear();
    state.on = false;
}
