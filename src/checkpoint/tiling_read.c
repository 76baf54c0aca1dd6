/* Reading a tile: in the order of the storage, in pieces as large as they come. */
#include <string.h>

#include "base/checked.h"
#include "base/copy.h"
#include "checkpoint/tiling.h"

/* Bytes that memory and cache exchange at once. */
#define CACHE_LINE 64U

/* Reading on over a gap of a page costs no more than another read. */
#define CLOSE UINT64_C(4096)

/* Loops over the elements of a tile, by rising stride: the innermost first. */
typedef struct loop {
    uint64_t count;
    uint64_t from; /* bytes from turn to turn in the storage */
    uint64_t to;   /* and in the tile */
} loop;

/* ---- from the window to the tile ---- */

static bool is_run(const loop *line, uint64_t item) {
    return line->from == item && line->to == item;
}

/* Fixed sizes let the compiler use a plain load and store. */
static void copy_line(const loop *line, uint64_t item, const uint8_t *from, uint8_t *to) {
    if (is_run(line, item)) {
        memcpy(to, from, (size_t)(line->count * item));
        return;
    }
    for (uint64_t i = 0; i < line->count; i++, from += line->from, to += line->to) {
        sft_copy_item(to, from, item);
    }
}

/* A part of two loops: runs of the storage become columns of the tile. */
static inline void copy_square(const loop *run, const loop *column, const uint8_t *from,
                               uint8_t *to, size_t item) {
    for (uint64_t i = 0; i < run->count; i++) {
        for (uint64_t j = 0; j < column->count; j++) {
            memcpy(to + i * run->to + j * item, from + i * item + j * column->from, item);
        }
    }
}

/* In squares, so small that the cache holds all lines of memory that one touches. */
static void transpose(const loop *run, const loop *column, uint64_t item, const uint8_t *from,
                      uint8_t *to) {
    const uint64_t side = CACHE_LINE / item;
    for (uint64_t i = 0; i < run->count; i += side) {
        loop part_of_run = {sft_min(side, run->count - i), item, run->to};
        for (uint64_t j = 0; j < column->count; j += side) {
            loop part = {sft_min(side, column->count - j), column->from, item};
            const uint8_t *square = from + i * item + j * column->from;
            uint8_t *there = to + i * run->to + j * item;
            switch (item) {
            case 1:
                copy_square(&part_of_run, &part, square, there, 1);
                break;
            case 2:
                copy_square(&part_of_run, &part, square, there, 2);
                break;
            case 4:
                copy_square(&part_of_run, &part, square, there, 4);
                break;
            default:
                copy_square(&part_of_run, &part, square, there, 8);
            }
        }
    }
}

/* The loop along which the tile runs, where the first one runs along the storage; else 0. */
static uint32_t find_column(const loop *loops, uint32_t count, uint64_t item) {
    uint32_t i = count > 0 && loops[0].from == item && loops[0].to != item ? 1 : count;
    while (i < count && loops[i].to != item) {
        i++;
    }
    return i < count ? i : 0;
}

/* Copies what some loops run over. */
static void copy_box(const loop *loops, uint32_t count, uint64_t item, const uint8_t *from,
                     uint8_t *to) {
    static const loop once = {1, 0, 0};
    uint64_t turns[SFT_TILING_RANK] = {0};
    const loop *line = count > 0 ? loops : &once;
    uint32_t column = find_column(loops, count, item);
    for (;;) {
        if (column > 0) {
            transpose(line, &loops[column], item, from, to);
        } else {
            copy_line(line, item, from, to);
        }
        uint32_t i = 1;
        for (; i < count; i++) {
            if (i == column) {
                continue;
            }
            from += loops[i].from;
            to += loops[i].to;
            if (++turns[i] < loops[i].count) {
                break;
            }
            from -= loops[i].from * loops[i].count;
            to -= loops[i].to * loops[i].count;
            turns[i] = 0;
        }
        if (i >= count) {
            return;
        }
    }
}

/* ---- from the storage to the window ---- */

typedef struct reader {
    const sft_region *bytes;
    uint8_t *window;
    uint64_t item;
    loop loops[SFT_TILING_RANK];
    uint32_t count;
    uint32_t near;   /* the first so many loops lie close together, and fit the window */
    uint64_t extent; /* bytes from the first to the last of what they run over */
    uint64_t turns;  /* of the next loop, that fit too; at least 1 */
    uint64_t pitch;  /* if more than 0: these are read one by one, and lie so far apart */
    sft_error *error;
} reader;

static void insert(reader *r, loop added) {
    uint32_t at = r->count++;
    for (; at > 0 && r->loops[at - 1].from > added.from; at--) {
        r->loops[at] = r->loops[at - 1];
    }
    r->loops[at] = added;
}

static void make_loops(const sft_tiling *tiling, const sft_tile *tile, reader *r) {
    uint64_t step = tiling->item;
    for (uint32_t i = tiling->rank; i > 0; i--) {
        uint64_t count = tile->size[i - 1];
        if (count > 1) {
            insert(r, (loop){count, tiling->strides[i - 1], step});
        }
        step *= count;
    }
}

/*
 * As many loops as fit the window and leave no large gaps, and as many turns of the next. Over
 * large gaps nothing is read, but what lies between them is collected in the window.
 */
static void find_near(reader *r) {
    r->extent = r->item;
    r->turns = 1;
    for (; r->near < r->count; r->near++) {
        const loop *next = &r->loops[r->near];
        if (next->from > r->extent && next->from - r->extent >= CLOSE) {
            if (r->near != 1 || !is_run(&r->loops[0], r->item)) {
                r->pitch = r->extent + CACHE_LINE;
                r->turns = r->pitch < SFT_TILE_WINDOW ? SFT_TILE_WINDOW / r->pitch : 1;
            }
            return;
        }
        uint64_t left = SFT_TILE_WINDOW - r->extent;
        if (next->from > 0 && left / next->from < next->count - 1) {
            r->turns = left / next->from + 1;
            return;
        }
        r->extent += next->from * (next->count - 1);
    }
}

/* Fills the window; *step becomes the distance in it from turn to turn of the loop that was cut. */
static sft_status read_window(const reader *r, uint64_t turns, uint64_t from, uint64_t *step) {
    if (r->pitch == 0) {
        uint64_t size = r->extent + *step * (turns - 1);
        return sft_region_read(r->bytes, from, r->window, size, r->error);
    }
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < turns && status == SFT_OK; i++) {
        status = sft_region_read(r->bytes, from + i * *step, r->window + i * r->pitch, r->extent,
                                 r->error);
    }
    *step = r->pitch;
    return status;
}

/* Whether what is read next lies in the tile as it does in the storage. */
static bool is_direct(const reader *r, uint64_t turns) {
    if (r->near == 0) {
        return turns == 1 || is_run(&r->loops[0], r->item);
    }
    return r->near == 1 && turns == 1 && is_run(&r->loops[0], r->item);
}

/* Reads what the near loops run over, and some turns of the next one. */
static sft_status read_block(reader *r, uint64_t turns, uint64_t from, uint8_t *to) {
    if (is_direct(r, turns)) {
        return sft_region_read(r->bytes, from, to, r->extent + (turns - 1) * r->item, r->error);
    }
    if (turns == 1) {
        sft_status status = sft_region_read(r->bytes, from, r->window, r->extent, r->error);
        if (status == SFT_OK) {
            copy_box(r->loops, r->near, r->item, r->window, to);
        }
        return status;
    }
    loop whole = r->loops[r->near];
    loop part = {turns, whole.from, whole.to};
    sft_status status = read_window(r, turns, from, &part.from);
    if (status == SFT_OK) {
        r->loops[r->near] = part;
        copy_box(r->loops, r->near + 1, r->item, r->window, to);
        r->loops[r->near] = whole;
    }
    return status;
}

/* All turns of the loop behind the near ones, in blocks. */
static sft_status read_blocks(reader *r, uint64_t from, uint8_t *to) {
    loop next = r->near < r->count ? r->loops[r->near] : (loop){1, 0, 0};
    sft_status status = SFT_OK;
    for (uint64_t done = 0; done < next.count && status == SFT_OK; done += r->turns) {
        uint64_t turns = sft_min(r->turns, next.count - done);
        status = read_block(r, turns, from + next.from * done, to + next.to * done);
    }
    return status;
}

sft_status sft_tiling_read(const sft_tiling *tiling, const sft_tile *tile, const sft_region *bytes,
                           uint8_t *window, uint8_t *to, sft_error *error) {
    reader r = {.bytes = bytes, .window = window, .item = tiling->item, .error = error};
    uint64_t from = tiling->base;
    for (uint32_t i = 0; i < tiling->rank; i++) {
        from += tile->start[i] * tiling->strides[i];
    }
    make_loops(tiling, tile, &r);
    find_near(&r);
    uint64_t turns[SFT_TILING_RANK] = {0};
    for (;;) {
        sft_status status = read_blocks(&r, from, to);
        if (status != SFT_OK) {
            return status;
        }
        uint32_t i = r.near + 1;
        for (; i < r.count; i++) {
            from += r.loops[i].from;
            to += r.loops[i].to;
            if (++turns[i] < r.loops[i].count) {
                break;
            }
            from -= r.loops[i].from * r.loops[i].count;
            to -= r.loops[i].to * r.loops[i].count;
            turns[i] = 0;
        }
        if (i >= r.count) {
            return SFT_OK;
        }
    }
}
