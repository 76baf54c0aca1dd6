#include "checkpoint/copy.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "io/os.h"
#include "io/pool.h"

/* Tensors up to this size are moved in batches of neighbours. */
#define SMALL (UINT64_C(256) * 1024)

/* The least that is worth a call to unpack more. */
#define UNPACKED_AT_ONCE (UINT64_C(64) * 1024)

/* Below this much in all, starting a thread costs more than it saves. */
#define WORTH_A_THREAD (UINT64_C(1) * 1024 * 1024)
#define MOST_THREADS 4U

typedef enum kind { DENSE, TILES, BATCH } kind;

/* A large tensor, or a batch of small ones, and how many pieces of work it is. */
typedef struct lot {
    kind kind;
    uint32_t number; /* of the tensor; of a batch: where it begins in `places` */
    uint32_t count;  /* of a batch: how many tensors */
    uint64_t source; /* where it lies: sources are read in their order */
    uint64_t offset;
    uint64_t pieces;
} lot;

typedef struct thread {
    bool busy;
    sft_hands hands;
} thread;

typedef struct copier {
    const sft_copy_job *job;
    const sft_mover *mover;
    sft_allocator allocator;
    uint32_t *places;    /* the tensors' numbers, as they lie in the new file */
    uint32_t *by_source; /* each batch of `places` again, as it lies in the source */
    lot *lots;
    uint64_t lot_count;
    uint32_t *order;  /* of the lots */
    uint64_t *before; /* how many pieces come before each lot, in that order */
    uint64_t pieces;
    uint64_t bytes;
    uint64_t room; /* bytes of each of a thread's buffers */
    thread threads[MOST_THREADS];
    uint32_t thread_count;
    sft_os_mutex mutex; /* over threads[].busy, progress and the two below */
    sft_status status;
    sft_error *error;
} copier;

bool sft_copy_is_packed(const sft_plan_tensor *planned) {
    return sft_move_storage(planned)->region.fd < 0;
}

sft_status sft_copy_report(const sft_copy_job *job, uint64_t bytes, sft_error *error) {
    sft_copy_progress *progress = job->progress;
    progress->done += bytes;
    if (progress->call != NULL &&
        !progress->call(progress->context, progress->done, progress->total)) {
        return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "cancelled");
    }
    return SFT_OK;
}

/* ---- lots ---- */

static bool place_after(const void *things, uint32_t a, uint32_t b) {
    const sft_mover *mover = things;
    uint64_t place_a = sft_writer_place(mover->writer, a);
    uint64_t place_b = sft_writer_place(mover->writer, b);
    return place_a > place_b;
}

static uint64_t source_offset(const sft_plan_tensor *planned) {
    return sft_move_storage(planned)->region.offset + sft_move_start(planned->tensor);
}

static bool lot_after(const void *things, uint32_t a, uint32_t b) {
    const lot *lots = things;
    return lots[a].source != lots[b].source ? lots[a].source > lots[b].source
                                            : lots[a].offset > lots[b].offset;
}

static bool is_small(const sft_plan_tensor *planned) {
    return planned->size <= SMALL;
}

static void add_large(copier *c, uint32_t number) {
    const sft_plan_tensor *planned = c->mover->tensors[number];
    lot added = {.kind = DENSE,
                 .number = number,
                 .source = planned->source,
                 .offset = source_offset(planned),
                 .pieces = (planned->size - 1) / SFT_MOVE_PIECE + 1};
    uint64_t room = sft_min(planned->size, SFT_MOVE_PIECE);
    if (!planned->tensor->dense) {
        sft_tiling tiling;
        sft_tiling_cut(planned->tensor, &tiling);
        added.kind = TILES;
        added.pieces = tiling.count;
        room = SFT_TILE_BYTES;
    }
    c->room = room > c->room ? room : c->room;
    c->lots[c->lot_count++] = added;
}

/* Takes as many neighbours from places[at] on as make a batch; returns how many. */
static uint32_t add_batch(copier *c, uint32_t at) {
    const sft_mover *mover = c->mover;
    const sft_plan_tensor *first = mover->tensors[c->places[at]];
    lot added = {.kind = BATCH,
                 .number = at,
                 .source = first->source,
                 .offset = source_offset(first),
                 .pieces = 1};
    uint64_t size = 0;
    for (uint64_t i = at; i < mover->count; i++) {
        const sft_plan_tensor *planned = mover->tensors[c->places[i]];
        if (!is_small(planned) || sft_copy_is_packed(planned) ||
            size + planned->size > SFT_MOVE_PIECE) {
            break;
        }
        size += planned->size;
        added.count++;
        if (planned->source < added.source ||
            (planned->source == added.source && source_offset(planned) < added.offset)) {
            added.source = planned->source;
            added.offset = source_offset(planned);
        }
    }
    c->room = size > c->room ? size : c->room;
    c->lots[c->lot_count++] = added;
    return added.count;
}

/* A batch's tensors in the order of the sources. */
typedef struct batch_order {
    const sft_mover *mover;
    const uint32_t *numbers;
} batch_order;

static bool batch_after(const void *things, uint32_t a, uint32_t b) {
    const batch_order *batch = things;
    const sft_plan_tensor *left = batch->mover->tensors[batch->numbers[a]];
    const sft_plan_tensor *right = batch->mover->tensors[batch->numbers[b]];
    return left->source != right->source ? left->source > right->source
                                         : source_offset(left) > source_offset(right);
}

static bool sort_batch(copier *c, const lot *batch) {
    batch_order order = {c->mover, c->places + batch->number};
    uint32_t *sorted = sft_sort(&order, batch->count, batch_after, &c->allocator);
    for (uint32_t i = 0; i < batch->count && sorted != NULL; i++) {
        c->by_source[batch->number + i] = order.numbers[sorted[i]];
    }
    sft_release(&c->allocator, sorted, batch->count * sizeof *sorted);
    return sorted != NULL;
}

/* Cuts the work. False where there is no memory. */
static bool make_lots(copier *c) {
    const sft_mover *mover = c->mover;
    uint64_t count = mover->count;
    c->places = sft_sort(mover, (uint32_t)count, place_after, &c->allocator);
    c->by_source = sft_allocate_zeroed(&c->allocator, count, sizeof *c->by_source);
    c->lots = sft_allocate_zeroed(&c->allocator, count, sizeof *c->lots);
    if (c->places == NULL || c->by_source == NULL || c->lots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count;) {
        const sft_plan_tensor *planned = mover->tensors[c->places[i]];
        if (planned->size == 0 || sft_copy_is_packed(planned)) {
            i++;
        } else if (is_small(planned)) {
            i += add_batch(c, i);
            if (!sort_batch(c, &c->lots[c->lot_count - 1])) {
                return false;
            }
        } else {
            add_large(c, c->places[i++]);
        }
        c->bytes += planned->size;
    }
    c->order = sft_sort(c->lots, (uint32_t)c->lot_count, lot_after, &c->allocator);
    c->before = sft_allocate_zeroed(&c->allocator, c->lot_count, sizeof *c->before);
    for (uint64_t i = 0; i < c->lot_count && c->order != NULL && c->before != NULL; i++) {
        c->before[i] = c->pieces;
        c->pieces += c->lots[c->order[i]].pieces;
    }
    return c->order != NULL && c->before != NULL;
}

/* ---- moving ---- */

static void keep_failure(copier *c, sft_status status, const sft_error *error) {
    if (c->status == SFT_OK) {
        c->status = status;
        if (c->error != NULL) {
            *c->error = *error;
        }
    }
}

static thread *take_thread(copier *c) {
    sft_os_lock(&c->mutex);
    uint32_t i = 0;
    while (c->threads[i].busy) {
        i++;
    }
    c->threads[i].busy = true;
    sft_os_unlock(&c->mutex);
    return &c->threads[i];
}

static const lot *find_lot(const copier *c, uint64_t piece, uint64_t *number) {
    uint64_t low = 0;
    uint64_t high = c->lot_count;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (c->before[middle] <= piece) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *number = piece - c->before[low];
    return &c->lots[c->order[low]];
}

static sft_status move(const copier *c, const sft_hands *hands, const lot *what, uint64_t piece,
                       uint64_t *bytes, sft_error *error) {
    const unsigned both = SFT_MOVE_PUT | SFT_MOVE_CHECK;
    if (what->kind == BATCH) {
        const uint32_t *numbers = c->places + what->number;
        for (uint32_t i = 0; i < what->count; i++) {
            *bytes += c->mover->tensors[numbers[i]]->size;
        }
        return sft_move_batch(c->mover, hands, both, numbers, c->by_source + what->number,
                              what->count, error);
    }
    const sft_plan_tensor *planned = c->mover->tensors[what->number];
    const sft_region *region = &sft_move_storage(planned)->region;
    if (what->kind == TILES) {
        sft_tiling tiling;
        sft_tile tile;
        sft_tiling_cut(planned->tensor, &tiling);
        sft_tiling_tile(&tiling, piece, &tile);
        *bytes = tile.bytes;
        return sft_move_tile(c->mover, hands, both, what->number, region, piece, error);
    }
    uint64_t offset = piece * SFT_MOVE_PIECE;
    *bytes = sft_min(planned->size - offset, SFT_MOVE_PIECE);
    return sft_move_piece(c->mover, hands, both, what->number, region, offset, *bytes, error);
}

static bool move_piece(void *context, uint64_t index) {
    copier *c = context;
    thread *mine = take_thread(c);
    uint64_t piece;
    uint64_t bytes = 0;
    sft_error error;
    const lot *what = find_lot(c, index, &piece);
    sft_status status = move(c, &mine->hands, what, piece, &bytes, &error);
    sft_os_lock(&c->mutex);
    mine->busy = false;
    if (status == SFT_OK) {
        status = sft_copy_report(c->job, 2 * bytes, &error);
    }
    if (status != SFT_OK) {
        keep_failure(c, status, &error);
    }
    sft_os_unlock(&c->mutex);
    return status == SFT_OK;
}

/* ---- memory ---- */

static bool take_hands(copier *c, sft_hands *hands) {
    hands->room = c->room;
    hands->source = sft_allocate(&c->allocator, c->room);
    hands->target = sft_allocate(&c->allocator, c->room);
    hands->window = sft_allocate(&c->allocator, SFT_TILE_WINDOW);
    return hands->source != NULL && hands->target != NULL && hands->window != NULL;
}

/* As many threads as there is work and memory for; at least one must do. */
static bool take_threads(copier *c) {
    uint32_t wanted = c->bytes < WORTH_A_THREAD ? 1 : sft_os_processors();
    wanted = wanted > MOST_THREADS ? MOST_THREADS : wanted;
    while (c->thread_count < wanted) {
        if (!take_hands(c, &c->threads[c->thread_count++].hands)) {
            return false;
        }
    }
    return true;
}

static void give_back(copier *c) {
    for (uint32_t i = 0; i < c->thread_count; i++) {
        const sft_hands *hands = &c->threads[i].hands;
        sft_release(&c->allocator, hands->source, c->room);
        sft_release(&c->allocator, hands->target, c->room);
        sft_release(&c->allocator, hands->window, SFT_TILE_WINDOW);
    }
    sft_release(&c->allocator, c->places, c->mover->count * sizeof *c->places);
    sft_release(&c->allocator, c->by_source, c->mover->count * sizeof *c->by_source);
    sft_release(&c->allocator, c->order, c->lot_count * sizeof *c->order);
    sft_release(&c->allocator, c->before, c->lot_count * sizeof *c->before);
    sft_release(&c->allocator, c->lots, c->mover->count * sizeof *c->lots);
}

/* ---- the whole ---- */

/* The room that tensors need which must be unpacked; 0 if there are none. */
static uint64_t room_for_packed(const sft_mover *mover) {
    uint64_t room = 0;
    for (uint64_t i = 0; i < mover->count; i++) {
        const sft_plan_tensor *planned = mover->tensors[i];
        if (planned->size > 0 && sft_copy_is_packed(planned)) {
            uint64_t most = planned->tensor->dense ? SFT_MOVE_PIECE : SFT_TILE_BYTES;
            uint64_t size = sft_min(planned->size, most);
            size = size > UNPACKED_AT_ONCE ? size : UNPACKED_AT_ONCE;
            room = size > room ? size : room;
        }
    }
    return room;
}

static sft_status copy(copier *c, sft_error *error) {
    uint64_t packed = room_for_packed(c->mover);
    bool whole = make_lots(c);
    c->room = packed > c->room ? packed : c->room;
    if (!whole || !take_threads(c)) {
        return sft_fail_memory(error);
    }
    if (!sft_pool_run(c->thread_count, c->pieces, move_piece, c)) {
        return c->status;
    }
    return packed > 0 ? sft_copy_packed(c->job, &c->threads[0].hands, error) : SFT_OK;
}

sft_status sft_copy_tensors(const sft_copy_job *job, sft_error *error) {
    copier c = {.job = job, .mover = &job->mover, .allocator = job->allocator, .error = error};
    if (sft_os_mutex_init(&c.mutex) != 0) {
        return sft_fail_memory(error);
    }
    sft_status status = copy(&c, error);
    give_back(&c);
    sft_os_mutex_free(&c.mutex);
    return status;
}
