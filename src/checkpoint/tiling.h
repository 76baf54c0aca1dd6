/*
 * The elements of a view, in the order in which a new file has them: row-major and dense,
 * little-endian, with the signs that a lazy conjugation or negation gives them.
 *
 * A view that is not dense is read in tiles: boxes of it, so shaped that both what is read and what
 * is written comes in long pieces, whatever the strides.
 */
#ifndef SFT_SRC_CHECKPOINT_TILING_H
#define SFT_SRC_CHECKPOINT_TILING_H

#include <sft/base.h>

#include "checkpoint/found.h"

#define SFT_TILING_RANK 64U

/* The most bytes that a tile has. */
#define SFT_TILE_BYTES (UINT64_C(4) * 1024 * 1024)

/* What reading tiles takes besides the tile itself. */
#define SFT_TILE_WINDOW (UINT64_C(1) * 1024 * 1024)

/* A view with as few dimensions as describe it, and how it is cut. */
typedef struct sft_tiling {
    uint64_t item; /* bytes of an element */
    uint64_t base; /* of the first element in the storage, in bytes */
    uint32_t rank;
    uint64_t shape[SFT_TILING_RANK];
    uint64_t strides[SFT_TILING_RANK]; /* in bytes */
    uint64_t tile[SFT_TILING_RANK];    /* elements of a tile in each dimension */
    uint64_t count;                    /* tiles */
} sft_tiling;

/* One tile: runs of the result that stand one behind the other in memory. */
typedef struct sft_tile {
    uint64_t start[SFT_TILING_RANK];
    uint64_t size[SFT_TILING_RANK];
    uint64_t bytes;     /* of all runs */
    uint64_t run;       /* bytes of each */
    uint64_t run_count; /* how many */
} sft_tile;

/* Bytes of an element; 0 for types of less than a byte. */
uint64_t sft_tiling_item(sft_dtype dtype);

/* Cuts a view that has elements, and no type of less than a byte. */
void sft_tiling_cut(const sft_found_tensor *tensor, sft_tiling *tiling);

/* Tile number `index`, and where run number `run` of it begins in the result, in bytes. */
void sft_tiling_tile(const sft_tiling *tiling, uint64_t index, sft_tile *tile);
uint64_t sft_tiling_run(const sft_tiling *tiling, const sft_tile *tile, uint64_t run);

/* Reads a tile out of the storage's bytes, as they lie there. SFT_READ_FAILED, SFT_FILE_SHRANK. */
sft_status sft_tiling_read(const sft_tiling *tiling, const sft_tile *tile, const sft_region *bytes,
                           uint8_t *window, uint8_t *to, sft_error *error);

/* Makes elements of the new file out of those of a storage. */
void sft_tiling_settle(const sft_found_tensor *tensor, bool big_endian, uint8_t *bytes,
                       uint64_t size);

#endif
