/* Pieces of tensors on their way into a new file: brought there, and compared with the source
 * afterwards, by reading both again. */
#ifndef SFT_SRC_CHECKPOINT_MOVE_H
#define SFT_SRC_CHECKPOINT_MOVE_H

#include <sft/base.h>

#include "checkpoint/plan.h"
#include "checkpoint/tiling.h"
#include "model/writer.h"

/* Bytes of a dense tensor that move at once: what a processor's own cache holds. */
#define SFT_MOVE_PIECE (UINT64_C(1) * 1024 * 1024)

/* The new file, and what goes into it. Never changes while pieces move. */
typedef struct sft_mover {
    sft_writer *writer;
    const sft_plan_tensor *const *tensors; /* [i] is what the writer knows as number i */
    uint64_t count;
    const char *const *paths; /* of the sources */
} sft_mover;

/* The memory of one thread. A piece, a tile or a batch fits each of the first two. */
typedef struct sft_hands {
    uint64_t room; /* bytes of each of these two */
    uint8_t *source;
    uint8_t *target;
    uint8_t *window; /* SFT_TILE_WINDOW bytes */
} sft_hands;

typedef enum sft_move { SFT_MOVE_PUT = 1, SFT_MOVE_CHECK = 2 } sft_move;

/*
 * Each moves one piece out of the bytes of the tensor's storage: `what` says whether it is
 * delivered, compared, or one after the other. SFT_READ_FAILED, SFT_FILE_SHRANK, SFT_WRITE_FAILED,
 * SFT_NO_MEMORY or SFT_VERIFY_FAILED, with file and tensor named. Many threads at once.
 */
sft_status sft_move_piece(const sft_mover *mover, const sft_hands *hands, unsigned what,
                          uint32_t number, const sft_region *bytes, uint64_t offset, uint64_t size,
                          sft_error *error);
sft_status sft_move_tile(const sft_mover *mover, const sft_hands *hands, unsigned what,
                         uint32_t number, const sft_region *bytes, uint64_t index,
                         sft_error *error);

/*
 * The same for small tensors that lie one behind the other in the new file, by one write. `numbers`
 * is in that order, `by_source` in the order of the sources. Views that are not dense are one tile.
 */
sft_status sft_move_batch(const sft_mover *mover, const sft_hands *hands, unsigned what,
                          const uint32_t *numbers, const uint32_t *by_source, uint64_t count,
                          sft_error *error);

/* Where a tensor's first element lies in its storage, in bytes. */
uint64_t sft_move_start(const sft_found_tensor *tensor);

const sft_storage *sft_move_storage(const sft_plan_tensor *planned);

#endif
