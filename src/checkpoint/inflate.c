#include "checkpoint/inflate.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/sources.h"

#define INPUT UINT32_C(65536)

struct sft_inflater {
    z_stream *z; /* one of these: zlib's state knows where its stream stands */
    z_stream streams[2];
    sft_allocator allocator;
    sft_region from;
    sft_packing packing;
    bool ended;
    uint64_t next; /* of `from`, behind what lies in `input` */
    unsigned char input[INPUT];
};

typedef struct inflate_mark {
    z_stream z;
    bool ended;
    uint64_t next; /* the first byte that zlib had not taken */
} inflate_mark;

/* zlib frees without telling how much: the size stands in front. */
typedef union memory_head {
    uint64_t size;
    max_align_t alignment;
} memory_head;

static void *zlib_allocate(void *context, unsigned count, unsigned size) {
    uint64_t bytes = (uint64_t)count * size + sizeof(memory_head);
    memory_head *head = sft_allocate(context, bytes);
    if (head == NULL) {
        return NULL;
    }
    head->size = bytes;
    return head + 1;
}

static void zlib_release(void *context, void *memory) {
    memory_head *head = (memory_head *)memory - 1;
    sft_release(context, head, head->size);
}

/* What zlib calls the size of the window also tells it which wrapper to expect (zlib.h). */
static int window_bits(sft_packing packing) {
    return packing == SFT_PACKED_DEFLATE ? -MAX_WBITS
           : packing == SFT_PACKED_ZLIB  ? MAX_WBITS
                                         : MAX_WBITS + 16;
}

sft_inflater *sft_inflater_begin(const sft_region *from, sft_packing packing,
                                 const sft_allocator *allocator) {
    sft_inflater *made = sft_allocate(allocator, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->allocator = *allocator;
    made->from = *from;
    made->packing = packing;
    made->ended = false;
    made->next = 0;
    made->z = &made->streams[0];
    memset(made->streams, 0, sizeof made->streams);
    made->z->zalloc = zlib_allocate;
    made->z->zfree = zlib_release;
    made->z->opaque = &made->allocator;
    if (inflateInit2(made->z, window_bits(packing)) != Z_OK) {
        sft_release(allocator, made, sizeof *made);
        return NULL;
    }
    return made;
}

void sft_inflater_end(sft_inflater *of) {
    sft_allocator allocator = of->allocator;
    inflateEnd(of->z);
    sft_release(&allocator, of, sizeof *of);
}

uint64_t sft_inflater_used(const sft_inflater *of) {
    return of->next - of->z->avail_in;
}

static sft_status more_input(sft_inflater *into, sft_error *error) {
    uint64_t size = sft_min(INPUT, into->from.size - into->next);
    sft_status status = sft_region_read(&into->from, into->next, into->input, size, error);
    if (status == SFT_OK) {
        into->next += size;
        into->z->next_in = into->input;
        into->z->avail_in = (unsigned)size;
    }
    return status;
}

/*
 * Behind a member of a gzip file: RFC 1952 lets another one follow at once. gzip and Python skip
 * zeros there, as tapes have them.
 */
static sft_status next_member(sft_inflater *of, sft_error *error) {
    for (;;) {
        while (of->z->avail_in > 0 && *of->z->next_in == 0) {
            of->z->next_in++;
            of->z->avail_in--;
        }
        if (of->z->avail_in > 0) {
            of->ended = *of->z->next_in != 0x1f;
            return !of->ended && inflateReset(of->z) != Z_OK ? sft_fail_memory(error) : SFT_OK;
        }
        if (of->next == of->from.size) {
            of->ended = true;
            return SFT_OK;
        }
        sft_status status = more_input(of, error);
        if (status != SFT_OK) {
            return status;
        }
    }
}

static sft_status inflater_step(sft_inflater *of, sft_error *error) {
    if (of->z->avail_in == 0 && of->next < of->from.size) {
        sft_status status = more_input(of, error);
        if (status != SFT_OK) {
            return status;
        }
    }
    int result = inflate(of->z, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
        of->ended = true;
        return of->packing == SFT_PACKED_GZIP ? next_member(of, error) : SFT_OK;
    }
    if (result == Z_OK) {
        return SFT_OK;
    }
    if (result == Z_MEM_ERROR) {
        return sft_fail_memory(error);
    }
    if (result == Z_BUF_ERROR) {
        return sft_fail(error, SFT_MALFORMED_SOURCE, of->from.size,
                        "the compressed bytes end too soon");
    }
    /* Z_NEED_DICT is an error too: nobody has the dictionary. */
    return sft_fail(error, SFT_MALFORMED_SOURCE, sft_inflater_used(of),
                    "the compressed bytes are damaged: %s",
                    of->z->msg != NULL ? of->z->msg : "they need a dictionary");
}

sft_status sft_inflater_make(sft_inflater *of, void *to, size_t size, size_t *made,
                             sft_error *error) {
    of->z->next_out = to;
    of->z->avail_out = (unsigned)size; /* at most a block */
    sft_status status = SFT_OK;
    while (status == SFT_OK && of->z->avail_out > 0 && !of->ended) {
        status = inflater_step(of, error);
    }
    *made = size - of->z->avail_out;
    /* zlib may see what is wrong behind the bytes that were wanted. It will say so again. */
    return *made == size && status == SFT_MALFORMED_SOURCE ? SFT_OK : status;
}

sft_status sft_inflated_size(const sft_region *packed, sft_packing packing, uint64_t limit,
                             const sft_allocator *allocator, uint64_t *size, uint64_t *used,
                             sft_error *error) {
    sft_allocator from = sft_allocator_of(allocator);
    *size = 0;
    *used = 0;
    sft_inflater *of = sft_inflater_begin(packed, packing, &from);
    if (of == NULL) {
        return sft_fail_memory(error);
    }
    unsigned char piece[16384];
    sft_status status = SFT_OK;
    size_t made = sizeof piece;
    while (status == SFT_OK && made == sizeof piece) {
        status = sft_inflater_make(of, piece, sizeof piece, &made, error);
        if (made > limit - *size) {
            *size = limit;
            status =
                sft_fail(error, SFT_SOURCE_LIMIT, sft_inflater_used(of),
                         "this unpacks to more than %" PRIu64 " bytes, which is the limit", limit);
            break;
        }
        *size += made;
    }
    *used = sft_inflater_used(of);
    sft_inflater_end(of);
    return status;
}

static void *begin(const sft_stream *stream, const sft_allocator *allocator) {
    return sft_inflater_begin(&stream->from, stream->packing, allocator);
}

static sft_status make(void *maker, void *to, size_t size, size_t *made, sft_error *error) {
    return sft_inflater_make(maker, to, size, made, error);
}

static void *mark(void *maker) {
    sft_inflater *of = maker;
    inflate_mark *made = sft_allocate(&of->allocator, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    if (inflateCopy(&made->z, of->z) != Z_OK) {
        sft_release(&of->allocator, made, sizeof *made);
        return NULL;
    }
    made->ended = of->ended;
    made->next = sft_inflater_used(of);
    return made;
}

static bool go_back(void *maker, const void *to) {
    sft_inflater *of = maker;
    if (to == NULL) {
        of->ended = false;
        of->next = 0;
        of->z->avail_in = 0;
        return inflateReset(of->z) == Z_OK;
    }
    /* zlib's interface has no const. It only reads. */
    inflate_mark *back = (inflate_mark *)(uintptr_t)to;
    z_stream *other = of->z == &of->streams[0] ? &of->streams[1] : &of->streams[0];
    if (inflateCopy(other, &back->z) != Z_OK) {
        return false;
    }
    inflateEnd(of->z);
    of->z = other;
    of->ended = back->ended;
    of->next = back->next;
    of->z->avail_in = 0;
    return true;
}

static void forget(void *maker, void *marked) {
    const sft_inflater *of = maker;
    inflate_mark *forgotten = marked;
    inflateEnd(&forgotten->z);
    sft_release(&of->allocator, forgotten, sizeof *forgotten);
}

static void end(void *maker) {
    sft_inflater_end(maker);
}

static const sft_stream_kind inflating = {begin, make, mark, go_back, forget, end};

static sft_status unpack(sft_sources *sources, const sft_region *packed, sft_packing packing,
                         uint64_t size, bool exact, sft_region *unpacked, sft_error *error) {
    sft_stream stream = {
        .kind = &inflating, .from = *packed, .packing = packing, .size = size, .exact = exact};
    return sft_sources_stream(sources, &stream, unpacked, error);
}

sft_status sft_sources_inflate(sft_sources *sources, const sft_region *packed, sft_packing packing,
                               uint64_t size, sft_region *unpacked, sft_error *error) {
    return unpack(sources, packed, packing, size, true, unpacked, error);
}

sft_status sft_sources_inflate_part(sft_sources *sources, const sft_region *packed,
                                    sft_packing packing, uint64_t size, sft_region *unpacked,
                                    sft_error *error) {
    return unpack(sources, packed, packing, size, false, unpacked, error);
}
