#include "io/gather.h"

#include <string.h>

#include "base/checked.h"
#include "base/copy.h"
#include "base/error.h"
#include "base/memory.h"
#include "io/source.h"

/* A page is read whole in any case: a gap below it costs nothing more. */
#define PAGE 4096U
/* Larger ones leave the cache between the read and the copy. */
#define BUFFER_SIZE (UINT64_C(512) * 1024)
/* What a disk has to do at once: it is several times quicker with many small reads before it than
 * with one. Runs larger than this keep it busy by themselves. */
#define AHEAD_RUNS 256U
#define AHEAD_BYTES (UINT64_C(1) * 1024 * 1024)

/* Steps from run to run as an odometer does. */
typedef struct cursor {
    const sft_gather *what;
    uint64_t offset; /* of the run that is next */
    uint64_t turns[64];
    bool done;
} cursor;

static cursor first_run(const sft_gather *what) {
    cursor c = {.what = what, .offset = what->start};
    return c;
}

static void next_run(cursor *c) {
    for (uint32_t i = 0; i < c->what->loop_count; i++) {
        const sft_gather_loop *loop = &c->what->loops[i];
        c->offset += loop->stride;
        if (++c->turns[i] < loop->count) {
            return;
        }
        c->offset -= loop->stride * loop->count;
        c->turns[i] = 0;
    }
    c->done = true;
}

/* Copies the runs that end at or before `limit`; `from` is what the source holds at `base`. */
static uint8_t *copy_runs(cursor *c, const uint8_t *from, uint64_t base, uint64_t limit,
                          uint8_t *to) {
    uint64_t run = c->what->run;
    while (!c->done && c->offset + run <= limit) {
        sft_copy_item(to, from + (c->offset - base), run);
        to += run;
        next_run(c);
    }
    return to;
}

void sft_gather_memory(const sft_gather *what, const uint8_t *from, void *to) {
    cursor c = first_run(what);
    copy_runs(&c, from, 0, UINT64_MAX, to);
}

/* Where a window that begins with the run at the cursor ends: behind the last run that is close
 * enough to the one before it, and fits the buffer. */
static uint64_t window_end(cursor ahead) {
    uint64_t begin = ahead.offset;
    uint64_t run = ahead.what->run;
    uint64_t end = begin + run;
    for (;;) {
        next_run(&ahead);
        if (ahead.done || ahead.offset - end >= PAGE || ahead.offset + run - begin > BUFFER_SIZE) {
            return end;
        }
        end = ahead.offset + run;
    }
}

static uint64_t runs_ahead(const sft_gather *what) {
    return sft_min(AHEAD_BYTES / what->run, AHEAD_RUNS);
}

/* Passes over the next runs. If they are not in memory, their reading begins. */
static void expect_runs(cursor *ahead, const sft_source *source) {
    bool ready = ahead->done || sft_source_ready(source, ahead->offset);
    for (uint64_t left = runs_ahead(ahead->what); left > 0 && !ahead->done; left--) {
        if (!ready) {
            sft_source_expect(source, ahead->offset, ahead->what->run);
        }
        next_run(ahead);
    }
}

static sft_status read_direct(const sft_gather *what, const sft_source *source, uint8_t *to,
                              sft_error *error) {
    cursor ahead = first_run(what);
    uint64_t batch = what->loop_count == 0 ? 0 : runs_ahead(what);
    uint64_t number = 0;
    if (batch > 0) {
        expect_runs(&ahead, source);
    }
    for (cursor c = first_run(what); !c.done; next_run(&c)) {
        if (batch > 0 && number++ % batch == 0) {
            expect_runs(&ahead, source);
        }
        sft_status status = sft_source_read(source, c.offset, to, what->run, error);
        if (status != SFT_OK) {
            return status;
        }
        to += what->run;
    }
    return SFT_OK;
}

static sft_status read_windows(const sft_gather *what, const sft_source *source, uint8_t *buffer,
                               uint8_t *to, sft_error *error) {
    cursor c = first_run(what);
    while (!c.done) {
        uint64_t begin = c.offset;
        uint64_t end = window_end(c);
        sft_status status = sft_source_read(source, begin, buffer, end - begin, error);
        if (status != SFT_OK) {
            return status;
        }
        to = copy_runs(&c, buffer, begin, end, to);
    }
    return SFT_OK;
}

sft_status sft_gather_read(const sft_gather *what, const sft_source *source,
                           const sft_allocator *allocator, void *to, sft_error *error) {
    bool far_apart = what->loop_count == 0 || what->loops[0].stride - what->run >= PAGE;
    if (far_apart || what->run > BUFFER_SIZE / 8) {
        return read_direct(what, source, to, error);
    }
    uint8_t *buffer = sft_allocate(allocator, BUFFER_SIZE);
    if (buffer == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = read_windows(what, source, buffer, to, error);
    sft_release(allocator, buffer, BUFFER_SIZE);
    return status;
}
