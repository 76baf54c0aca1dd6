#include "checkpoint/move.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"

/* Small tensors that lie no farther apart in a source are read together. */
#define SMALL_GAP (UINT64_C(16) * 1024)

uint64_t sft_move_start(const sft_found_tensor *tensor) {
    uint64_t bits = sft_dtype_bits(tensor->dtype);
    return tensor->offset / 8 * bits + tensor->offset % 8 * bits / 8;
}

const sft_storage *sft_move_storage(const sft_plan_tensor *planned) {
    return &planned->found->storages[planned->tensor->storage];
}

static sft_status blame(const sft_mover *mover, uint32_t number, sft_status status,
                        sft_error *error) {
    const sft_plan_tensor *planned = mover->tensors[number];
    sft_error_tensor(error, planned->name, planned->name_length);
    sft_error_file(error, mover->paths[planned->source]);
    return status;
}

/* Compares what is in the new file with what hands->source holds. */
static sft_status compare(const sft_mover *mover, const sft_hands *hands, uint32_t number,
                          uint64_t place, const uint8_t *wanted, uint64_t size, sft_error *error) {
    sft_status status = sft_writer_read_back(mover->writer, place, hands->target, size, error);
    if (status != SFT_OK || memcmp(hands->target, wanted, (size_t)size) == 0) {
        return status;
    }
    uint64_t at = 0;
    while (hands->target[at] == wanted[at]) {
        at++;
    }
    sft_fail(error, SFT_VERIFY_FAILED, place + at,
             "the new file does not hold what the source holds: the disk or the memory is "
             "failing, or the source was changed meanwhile");
    return blame(mover, number, SFT_VERIFY_FAILED, error);
}

/* ---- dense ---- */

static sft_status read_piece(const sft_mover *mover, uint32_t number, const sft_region *bytes,
                             uint64_t offset, uint64_t size, uint8_t *to, sft_error *error) {
    const sft_plan_tensor *planned = mover->tensors[number];
    sft_status status =
        sft_region_read(bytes, sft_move_start(planned->tensor) + offset, to, size, error);
    if (status != SFT_OK) {
        return blame(mover, number, status, error);
    }
    sft_tiling_settle(planned->tensor, sft_move_storage(planned)->big_endian, to, size);
    return SFT_OK;
}

sft_status sft_move_piece(const sft_mover *mover, const sft_hands *hands, unsigned what,
                          uint32_t number, const sft_region *bytes, uint64_t offset, uint64_t size,
                          sft_error *error) {
    sft_status status = SFT_OK;
    if ((what & SFT_MOVE_PUT) != 0) {
        status = read_piece(mover, number, bytes, offset, size, hands->source, error);
        if (status == SFT_OK) {
            status = sft_writer_put(mover->writer, number, offset, hands->source, size, error);
        }
    }
    if ((what & SFT_MOVE_CHECK) != 0 && status == SFT_OK) {
        status = read_piece(mover, number, bytes, offset, size, hands->source, error);
        if (status == SFT_OK) {
            uint64_t place = sft_writer_place(mover->writer, number) + offset;
            status = compare(mover, hands, number, place, hands->source, size, error);
        }
    }
    return status;
}

/* ---- not dense ---- */

static sft_status read_tile(const sft_mover *mover, const sft_hands *hands, uint32_t number,
                            const sft_region *bytes, const sft_tiling *tiling, const sft_tile *tile,
                            uint8_t *to, sft_error *error) {
    const sft_plan_tensor *planned = mover->tensors[number];
    sft_status status = sft_tiling_read(tiling, tile, bytes, hands->window, to, error);
    if (status != SFT_OK) {
        return blame(mover, number, status, error);
    }
    sft_tiling_settle(planned->tensor, sft_move_storage(planned)->big_endian, to, tile->bytes);
    return SFT_OK;
}

sft_status sft_move_tile(const sft_mover *mover, const sft_hands *hands, unsigned what,
                         uint32_t number, const sft_region *bytes, uint64_t index,
                         sft_error *error) {
    sft_tiling tiling;
    sft_tile tile;
    sft_tiling_cut(mover->tensors[number]->tensor, &tiling);
    sft_tiling_tile(&tiling, index, &tile);
    sft_status status = SFT_OK;
    for (unsigned step = SFT_MOVE_PUT; step <= SFT_MOVE_CHECK && status == SFT_OK; step *= 2) {
        if ((what & step) == 0) {
            continue;
        }
        status = read_tile(mover, hands, number, bytes, &tiling, &tile, hands->source, error);
        for (uint64_t run = 0; run < tile.run_count && status == SFT_OK; run++) {
            const uint8_t *piece = hands->source + run * tile.run;
            uint64_t offset = sft_tiling_run(&tiling, &tile, run);
            if (step == SFT_MOVE_PUT) {
                status = sft_writer_put(mover->writer, number, offset, piece, tile.run, error);
            } else {
                uint64_t place = sft_writer_place(mover->writer, number) + offset;
                status = compare(mover, hands, number, place, piece, tile.run, error);
            }
        }
    }
    return status;
}

/* ---- small ones ---- */

/* A stretch of a source that is in memory. */
typedef struct stretch {
    uint64_t source;
    uint64_t begin;
    uint64_t end;
} stretch;

static uint64_t begin_of(const sft_plan_tensor *planned) {
    return sft_move_storage(planned)->region.offset + sft_move_start(planned->tensor);
}

/* How far it is worth to read from tensor number by_source[i] on. */
static uint64_t end_of_stretch(const sft_mover *mover, const uint32_t *by_source, uint64_t i,
                               uint64_t count) {
    const sft_plan_tensor *first = mover->tensors[by_source[i]];
    uint64_t begin = begin_of(first);
    uint64_t end = begin + first->size;
    for (i++; i < count; i++) {
        const sft_plan_tensor *next = mover->tensors[by_source[i]];
        uint64_t next_end = begin_of(next) + next->size;
        if (!next->tensor->dense || next->source != first->source ||
            begin_of(next) > end + SMALL_GAP || next_end > begin + SFT_TILE_WINDOW) {
            break;
        }
        end = next_end > end ? next_end : end;
    }
    return end;
}

/* Reads one dense tensor, and what follows it closely into the window. */
static sft_status read_small(const sft_mover *mover, const sft_hands *hands, stretch *held,
                             const uint32_t *by_source, uint64_t i, uint64_t count, uint8_t *to,
                             sft_error *error) {
    const sft_plan_tensor *planned = mover->tensors[by_source[i]];
    const sft_storage *storage = sft_move_storage(planned);
    uint64_t begin = begin_of(planned);
    uint64_t end = begin + planned->size;
    if (held->source != planned->source || begin < held->begin || end > held->end) {
        uint64_t until = end_of_stretch(mover, by_source, i, count);
        if (until == end) {
            return read_piece(mover, by_source[i], &storage->region, 0, planned->size, to, error);
        }
        sft_region around = storage->region;
        around.offset = begin;
        around.size = until - begin;
        *held = (stretch){planned->source, begin, until};
        sft_status status = sft_region_read(&around, 0, hands->window, around.size, error);
        if (status != SFT_OK) {
            return blame(mover, by_source[i], status, error);
        }
    }
    memcpy(to, hands->window + (begin - held->begin), (size_t)planned->size);
    sft_tiling_settle(planned->tensor, storage->big_endian, to, planned->size);
    return SFT_OK;
}

/* Collects all tensors of a batch in hands->source, as they will lie in the new file. */
static sft_status read_batch(const sft_mover *mover, const sft_hands *hands,
                             const uint32_t *by_source, uint64_t count, uint64_t place,
                             sft_error *error) {
    stretch held = {UINT64_MAX, 0, 0};
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        uint32_t number = by_source[i];
        const sft_plan_tensor *planned = mover->tensors[number];
        uint8_t *to = hands->source + (sft_writer_place(mover->writer, number) - place);
        if (planned->tensor->dense) {
            status = read_small(mover, hands, &held, by_source, i, count, to, error);
            continue;
        }
        sft_tiling tiling;
        sft_tile tile;
        sft_tiling_cut(planned->tensor, &tiling);
        sft_tiling_tile(&tiling, 0, &tile);
        status = read_tile(mover, hands, number, &sft_move_storage(planned)->region, &tiling, &tile,
                           to, error);
        held.source = UINT64_MAX; /* the window was needed */
    }
    return status;
}

static sft_status compare_batch(const sft_mover *mover, const sft_hands *hands,
                                const uint32_t *numbers, uint64_t place, uint64_t size,
                                sft_error *error) {
    sft_error found;
    sft_status status = compare(mover, hands, numbers[0], place, hands->source, size, &found);
    if (status == SFT_VERIFY_FAILED) {
        while (found.byte >=
               sft_writer_place(mover->writer, *numbers) + mover->tensors[*numbers]->size) {
            numbers++;
        }
        const sft_plan_tensor *planned = mover->tensors[*numbers];
        sft_error_tensor(&found, planned->name, planned->name_length);
    }
    if (status != SFT_OK && error != NULL) {
        *error = found;
    }
    return status;
}

sft_status sft_move_batch(const sft_mover *mover, const sft_hands *hands, unsigned what,
                          const uint32_t *numbers, const uint32_t *by_source, uint64_t count,
                          sft_error *error) {
    uint64_t place = sft_writer_place(mover->writer, numbers[0]);
    uint64_t size = sft_writer_place(mover->writer, numbers[count - 1]) +
                    mover->tensors[numbers[count - 1]]->size - place;
    sft_status status = SFT_OK;
    if ((what & SFT_MOVE_PUT) != 0) {
        status = read_batch(mover, hands, by_source, count, place, error);
        if (status == SFT_OK) {
            status = sft_writer_put_run(mover->writer, numbers, count, hands->source, error);
        }
    }
    if ((what & SFT_MOVE_CHECK) != 0 && status == SFT_OK) {
        status = read_batch(mover, hands, by_source, count, place, error);
        if (status == SFT_OK) {
            status = compare_batch(mover, hands, numbers, place, size, error);
        }
    }
    return status;
}
