#include "checkpoint/zip_sum.h"

#include <zlib.h>

#include "base/checked.h"
#include "base/memory.h"
#include "io/os.h"
#include "io/pool.h"
#include "io/source.h"

/* What a processor's own cache holds. */
#define PIECE (UINT64_C(512) * 1024)
#define MOST_PIECES (SFT_ZIP_SUM_BYTES / PIECE)
#define MOST_THREADS 4U

typedef struct summer {
    sft_source source;
    uint64_t offset;
    uint64_t size;
    uint32_t sums[MOST_PIECES];
    uint8_t *room; /* a piece for each thread */
    bool busy[MOST_THREADS];
    sft_os_mutex mutex; /* over busy */
} summer;

static uint32_t take_room(summer *s) {
    uint32_t i = 0;
    sft_os_lock(&s->mutex);
    while (s->busy[i]) {
        i++;
    }
    s->busy[i] = true;
    sft_os_unlock(&s->mutex);
    return i;
}

static bool sum_piece(void *context, uint64_t index) {
    summer *s = context;
    uint32_t place = take_room(s);
    uint8_t *piece = s->room + place * PIECE;
    uint64_t at = index * PIECE;
    uint64_t size = sft_min(PIECE, s->size - at);
    bool read = sft_source_read(&s->source, s->offset + at, piece, size, NULL) == SFT_OK;
    if (read) {
        s->sums[index] = (uint32_t)crc32(0, piece, (unsigned)size);
    }
    sft_os_lock(&s->mutex);
    s->busy[place] = false;
    sft_os_unlock(&s->mutex);
    return read;
}

static bool sum(summer *s, uint32_t threads, uint32_t *crc) {
    uint64_t pieces = (s->size - 1) / PIECE + 1;
    if (!sft_pool_run(threads, pieces, sum_piece, s)) {
        return false;
    }
    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t size = sft_min(PIECE, s->size - i * PIECE);
        *crc = (uint32_t)crc32_combine(*crc, s->sums[i], (z_off_t)size);
    }
    return true;
}

bool sft_zip_sum(const sft_region *region, const sft_allocator *allocator, uint32_t *crc) {
    uint32_t threads = sft_os_processors();
    threads = threads > MOST_THREADS ? MOST_THREADS : threads;
    if (region->fd < 0 || region->size > SFT_ZIP_SUM_BYTES || region->size == 0 || threads < 2) {
        return false;
    }
    summer *s = sft_allocate_zeroed(allocator, 1, sizeof *s);
    uint8_t *room = sft_allocate(allocator, threads * PIECE);
    bool done = s != NULL && room != NULL && sft_os_mutex_init(&s->mutex) == 0;
    if (done) {
        s->source = sft_source_of_fd(region->fd);
        s->offset = region->offset;
        s->size = region->size;
        s->room = room;
        done = sum(s, threads, crc);
        sft_os_mutex_free(&s->mutex);
    }
    sft_release(allocator, room, threads * PIECE);
    sft_release(allocator, s, sizeof *s);
    return done;
}
