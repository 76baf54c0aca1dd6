#include "checkpoint/sources.h"
#include "io/source.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/memory.h"

/* What is made at once, and kept; two of them, so that a step back across their border is free. */
#define BLOCK UINT32_C(65536)

/* Bytes between two marks are the larger of these: what is made again in a step back. */
#define MARKS 16
#define MARK_DISTANCE (UINT64_C(1) << 20)

/* Streams that have memory at a time. More than lie inside each other. */
#define WORKING 12

typedef struct block {
    uint64_t start;
    size_t used;
    unsigned char bytes[BLOCK];
} block;

struct sft_stream_work {
    sft_stream *stream;
    void *maker;
    uint64_t turn; /* of its last use */
    bool busy;     /* a read of it is under way, maybe in need of others */
    sft_status status;
    sft_error failure; /* where `status` is not SFT_OK */
    uint64_t position; /* of the next byte that is made */
    block *last;
    block *before;
    uint64_t distance;  /* between marks */
    void *marks[MARKS]; /* the first, of the beginning, is not needed */
    block blocks[2];
};

typedef struct sft_sources_common {
    sft_allocator allocator;
    struct sft_stream_work *working[WORKING];
    uint64_t turn;
    sft_error failure; /* of the read that failed last */
} sft_sources_common;

void sft_sources_init(sft_sources *sources, const sft_allocator *allocator) {
    sources->allocator = sft_allocator_of(allocator);
    sft_arena_init(&sources->arena, &sources->allocator);
    sources->common = NULL;
}

static sft_sources_common *common_of(sft_sources *sources) {
    if (sources->common == NULL) {
        sft_sources_common *common = sft_arena_take(&sources->arena, sizeof *common);
        if (common != NULL) {
            memset(common, 0, sizeof *common);
            common->allocator = sources->allocator;
            sources->common = common;
        }
    }
    return sources->common;
}

static void forget_marks(struct sft_stream_work *work) {
    for (unsigned i = 0; i < MARKS; i++) {
        if (work->marks[i] != NULL) {
            work->stream->kind->forget(work->maker, work->marks[i]);
            work->marks[i] = NULL;
        }
    }
}

static void end_work(const sft_sources_common *common, struct sft_stream_work *work) {
    forget_marks(work);
    work->stream->kind->end(work->maker);
    work->stream->work = NULL;
    sft_release(&common->allocator, work, sizeof *work);
}

void sft_sources_free(sft_sources *sources) {
    if (sources->common != NULL) {
        for (unsigned i = 0; i < WORKING; i++) {
            if (sources->common->working[i] != NULL) {
                end_work(sources->common, sources->common->working[i]);
            }
        }
        sources->common = NULL;
    }
    sft_arena_free(&sources->arena);
}

const char *sft_sources_label(sft_sources *sources, const char *outer, const char *name,
                              size_t length) {
    char text[1024];
    sft_line line = sft_line_begin(text, sizeof text);
    if (outer != NULL) {
        sft_line_add(&line, outer);
        sft_line_add(&line, "!");
    }
    /* Escaping never shortens: what lies behind this is cut in any case. */
    sft_line_escape(&line, name, (size_t)sft_min(length, sizeof text), NULL, false);
    return sft_arena_copy(&sources->arena, text, strlen(text) + 1);
}

/* A free place, or that of the stream whose last use is longest ago. NULL if all are busy. */
static struct sft_stream_work **place_for_work(sft_sources_common *common) {
    struct sft_stream_work **oldest = NULL;
    for (unsigned i = 0; i < WORKING; i++) {
        struct sft_stream_work *work = common->working[i];
        if (work == NULL) {
            return &common->working[i];
        }
        if (!work->busy && (oldest == NULL || work->turn < (*oldest)->turn)) {
            oldest = &common->working[i];
        }
    }
    if (oldest != NULL) {
        end_work(common, *oldest);
        *oldest = NULL;
    }
    return oldest;
}

static bool begin_work(sft_stream *stream) {
    sft_sources_common *common = stream->common;
    struct sft_stream_work **place = place_for_work(common);
    if (place == NULL) {
        return false;
    }
    struct sft_stream_work *work = sft_allocate(&common->allocator, sizeof *work);
    if (work == NULL) {
        return false;
    }
    void *maker = stream->kind->begin(stream, &common->allocator);
    if (maker == NULL) {
        sft_release(&common->allocator, work, sizeof *work);
        return false;
    }
    work->stream = stream;
    work->maker = maker;
    work->busy = false;
    work->status = SFT_OK;
    work->position = 0;
    work->last = &work->blocks[0];
    work->before = &work->blocks[1];
    work->last->start = work->last->used = 0;
    work->before->start = work->before->used = 0;
    work->distance = stream->size / MARKS + 1;
    if (work->distance < MARK_DISTANCE) {
        work->distance = MARK_DISTANCE;
    }
    work->distance += (BLOCK - work->distance % BLOCK) % BLOCK;
    memset(work->marks, 0, sizeof work->marks);
    stream->work = work;
    *place = work;
    return true;
}

/* Goes to the nearest place from which `offset` can be reached by making what lies between. */
static bool go_back(struct sft_stream_work *work, uint64_t offset) {
    uint64_t number = sft_min(offset / work->distance, MARKS - 1);
    while (work->marks[number] == NULL && number > 0) {
        number--;
    }
    if (!work->stream->kind->go_back(work->maker, work->marks[number])) {
        return false;
    }
    work->position = number * work->distance;
    work->status = SFT_OK;
    work->last->used = work->before->used = 0;
    return true;
}

/* Without memory for a mark, going back costs more. */
static void mark_here(struct sft_stream_work *work) {
    uint64_t number = work->position / work->distance;
    if (number > 0 && number < MARKS && work->position % work->distance == 0 &&
        work->marks[number] == NULL) {
        work->marks[number] = work->stream->kind->mark(work->maker);
    }
}

/* The last byte is made: are there more? */
static sft_status check_end(struct sft_stream_work *work, sft_error *error) {
    unsigned char more;
    size_t made;
    sft_status status = work->stream->kind->make(work->maker, &more, 1, &made, error);
    if (status == SFT_OK && made > 0) {
        status = sft_fail(error, SFT_MALFORMED_SOURCE, work->position,
                          "this unpacks to more bytes than it is said to have");
    }
    return status;
}

/* Makes the block behind the last one. What comes before a failure can be read. */
static void make_block(struct sft_stream_work *work) {
    const sft_stream *stream = work->stream;
    sft_error *failure = &work->failure;
    mark_here(work);
    block *next = work->before;
    work->before = work->last;
    work->last = next;
    next->start = work->position;
    size_t wanted = (size_t)sft_min(BLOCK, stream->size - work->position);
    work->status = stream->kind->make(work->maker, next->bytes, wanted, &next->used, failure);
    work->position += next->used;
    if (work->status == SFT_OK && next->used < wanted) {
        work->status = sft_fail(failure, SFT_MALFORMED_SOURCE, work->position,
                                "this unpacks to fewer bytes than it is said to have");
    }
    if (work->status == SFT_OK && work->position == stream->size && stream->exact) {
        work->status = check_end(work, failure);
    }
}

static size_t copy_from(const block *from, uint64_t offset, void *to, size_t size) {
    if (offset < from->start || offset - from->start >= from->used) {
        return 0;
    }
    size_t skip = (size_t)(offset - from->start);
    size_t copied = (size_t)sft_min(size, from->used - skip);
    memcpy(to, from->bytes + skip, copied);
    return copied;
}

/* Copies from the block that holds `offset`, which is made if need be. */
static sft_status read_some(struct sft_stream_work *work, uint64_t offset, void *to, size_t size,
                            size_t *copied, sft_error *error) {
    for (;;) {
        *copied = copy_from(work->last, offset, to, size);
        if (*copied == 0) {
            *copied = copy_from(work->before, offset, to, size);
        }
        bool reaches_end = offset + *copied == work->stream->size;
        if (*copied > 0 && !(reaches_end && work->status != SFT_OK)) {
            return SFT_OK;
        }
        if (*copied == 0 && offset < work->position && !go_back(work, offset)) {
            return sft_fail_memory(error);
        }
        if (work->status != SFT_OK) {
            *error = work->failure;
            return work->status;
        }
        make_block(work);
    }
}

static int stream_size(void *context, uint64_t *size) {
    const sft_stream *stream = context;
    *size = stream->size;
    return 0;
}

static int64_t stream_read_at(void *context, uint64_t offset, void *to, size_t size) {
    sft_stream *stream = context;
    if (offset >= stream->size) {
        return 0;
    }
    sft_error *failure = &stream->common->failure;
    if (stream->work == NULL && !begin_work(stream)) {
        sft_fail_memory(failure);
        return -ENOMEM;
    }
    struct sft_stream_work *work = stream->work;
    work->turn = ++stream->common->turn;
    work->busy = true;
    size_t copied;
    sft_status status = read_some(work, offset, to, size, &copied, failure);
    work->busy = false;
    return status == SFT_OK ? (int64_t)copied : -EIO;
}

sft_status sft_sources_stream(sft_sources *sources, const sft_stream *stream, sft_region *region,
                              sft_error *error) {
    sft_sources_common *common = common_of(sources);
    sft_stream *made = common == NULL ? NULL : sft_arena_take(&sources->arena, sizeof *made);
    if (made == NULL) {
        return sft_fail_memory(error);
    }
    *made = *stream;
    made->source = (sft_source){made, stream_size, stream_read_at, NULL, NULL};
    made->common = common;
    made->work = NULL;
    *region = (sft_region){&made->source, 0, stream->size, -1, stream->from.label};
    return SFT_OK;
}

sft_status sft_stream_explain(const sft_source *source, sft_status status, sft_error *error) {
    if (source->read_at != stream_read_at) {
        return status;
    }
    const sft_stream *stream = source->context;
    if (error != NULL) {
        *error = stream->common->failure;
    }
    return stream->common->failure.status;
}

typedef struct memory_source {
    sft_source source;
    sft_bytes bytes;
} memory_source;

sft_status sft_sources_memory(sft_sources *sources, const void *bytes, uint64_t size,
                              sft_region *region, sft_error *error) {
    memory_source *memory = sft_arena_take(&sources->arena, sizeof *memory);
    const char *copy = memory == NULL ? NULL : sft_arena_copy(&sources->arena, bytes, size);
    if (copy == NULL) {
        return sft_fail_memory(error);
    }
    memory->bytes = (sft_bytes){copy, size};
    memory->source = sft_source_of_bytes(&memory->bytes);
    *region = (sft_region){&memory->source, 0, size, -1, NULL};
    return SFT_OK;
}
