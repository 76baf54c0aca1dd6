/* Tensors whose bytes must be unpacked: what unpacks them is cheap only from front to back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"
#include "checkpoint/copy.h"
#include "io/os.h"
#include "io/source.h"
#include "io/transfer.h"

/* A storage up to this size is unpacked to memory where its views need it in another order. */
#define SMALL_STORAGE (UINT64_C(16) * 1024 * 1024)

/* ---- an unpacked storage ---- */

typedef struct scratch {
    sft_allocator allocator;
    uint8_t *memory;
    int fd; /* of a file without a name, or -1 */
    uint64_t size;
    sft_bytes bytes; /* the memory, for the source */
    sft_source source;
    sft_region region;
} scratch;

/* The folder in which a path lies; false where that is too long. */
static bool folder_of(const char *path, char *folder, size_t size) {
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    if (length + 2 > size) {
        return false;
    }
    memcpy(folder, path, length);
    memcpy(folder + length, length == 0 ? "." : "", length == 0 ? 2 : 1);
    return true;
}

/* A file that goes away with its descriptor. */
static int make_file(const char *beside, int *fd) {
    char folder[4096];
    if (!folder_of(beside, folder, sizeof folder)) {
        return ENAMETOOLONG;
    }
    int open;
    bool readable;
    int failure = sft_os_open_folder(SFT_OS_HERE, folder, &open, &readable);
    if (failure != 0) {
        return failure;
    }
    failure = sft_os_create_unnamed(open, 0600, fd);
    if (failure != 0) {
        uint64_t random[2];
        char name[48];
        sft_os_random(random);
        snprintf(name, sizeof name, ".sft.%016" PRIx64 ".tmp", random[0] ^ random[1]);
        failure = sft_os_create(open, name, 0600, fd);
        if (failure == 0) {
            (void)sft_os_remove(open, name);
        }
    }
    sft_os_close(open);
    return failure;
}

static void scratch_free(scratch *s) {
    sft_release(&s->allocator, s->memory, s->size);
    if (s->fd >= 0) {
        sft_os_close(s->fd);
    }
    *s = (scratch){.allocator = s->allocator, .fd = -1};
}

static sft_status scratch_begin(scratch *s, const sft_copy_job *job, uint64_t size,
                                sft_error *error) {
    *s = (scratch){.allocator = job->allocator, .fd = -1, .size = size};
    if (size <= SMALL_STORAGE) {
        s->memory = sft_allocate(&s->allocator, size);
        s->bytes = (sft_bytes){s->memory, size};
        s->source = sft_source_of_bytes(&s->bytes);
        if (s->memory == NULL) {
            return sft_fail_memory(error);
        }
    } else {
        int failure = make_file(job->beside, &s->fd);
        if (failure != 0) {
            s->fd = -1;
            sft_fail_system(error, SFT_OPEN_FAILED, failure,
                            "cannot make a temporary file in the target's folder");
            sft_error_file(error, job->target);
            return SFT_OPEN_FAILED;
        }
        s->source = sft_source_of_fd(s->fd);
    }
    s->region = (sft_region){&s->source, 0, size, s->fd, NULL};
    return SFT_OK;
}

/* Fills it from front to back. */
static sft_status scratch_fill(scratch *s, const sft_copy_job *job, const sft_hands *hands,
                               const sft_region *packed, sft_error *error) {
    for (uint64_t at = 0; at < s->size;) {
        uint64_t size = sft_min(s->size - at, hands->room);
        uint8_t *to = s->memory != NULL ? s->memory + at : hands->target;
        sft_status status = sft_region_read(packed, at, to, size, error);
        if (status != SFT_OK) {
            return status;
        }
        int failure = s->memory != NULL ? 0 : sft_write_whole(s->fd, at, to, size);
        if (failure != 0) {
            sft_fail_system(error, SFT_WRITE_FAILED, failure, "cannot write a temporary file");
            sft_error_file(error, job->target);
            return SFT_WRITE_FAILED;
        }
        at += size;
    }
    return SFT_OK;
}

/* ---- order ---- */

static uint64_t source_key(const sft_plan_tensor *planned) {
    return (uint64_t)(uintptr_t)sft_move_storage(planned)->region.source;
}

/* As unpacking brings them: what is unpacked together, in the order in which that comes. */
static bool stands_after(const void *things, uint32_t a, uint32_t b) {
    const sft_mover *mover = things;
    const sft_plan_tensor *left = mover->tensors[a];
    const sft_plan_tensor *right = mover->tensors[b];
    const sft_storage *of_left = sft_move_storage(left);
    const sft_storage *of_right = sft_move_storage(right);
    const uint64_t keys[][2] = {{left->source, right->source},
                                {source_key(left), source_key(right)},
                                {of_left->region.offset, of_right->region.offset},
                                {left->tensor->storage, right->tensor->storage},
                                {left->tensor->offset, right->tensor->offset}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i][0] != keys[i][1]) {
            return keys[i][0] > keys[i][1];
        }
    }
    return false;
}

/* The tensors of one storage: order[0] to order[count - 1]. */
typedef struct group {
    const uint32_t *order;
    uint64_t count;
} group;

/* Whether they can be had while the storage is unpacked once. */
static bool comes_in_order(const sft_mover *mover, const group *g) {
    uint64_t end = 0;
    for (uint64_t i = 0; i < g->count; i++) {
        const sft_plan_tensor *planned = mover->tensors[g->order[i]];
        uint64_t start = sft_move_start(planned->tensor);
        if (!planned->tensor->dense || start < end) {
            return false;
        }
        end = start + planned->size;
    }
    return true;
}

/* ---- moving ---- */

static sft_status move_tensor(const sft_copy_job *job, const sft_hands *hands, unsigned what,
                              uint32_t number, const sft_region *bytes, sft_error *error) {
    const sft_plan_tensor *planned = job->mover.tensors[number];
    sft_status status = SFT_OK;
    if (planned->tensor->dense) {
        for (uint64_t at = 0; at < planned->size && status == SFT_OK; at += SFT_MOVE_PIECE) {
            uint64_t size = sft_min(planned->size - at, SFT_MOVE_PIECE);
            status = sft_move_piece(&job->mover, hands, what, number, bytes, at, size, error);
            if (status == SFT_OK) {
                status = sft_copy_report(job, size, error);
            }
        }
        return status;
    }
    sft_tiling tiling;
    sft_tiling_cut(planned->tensor, &tiling);
    for (uint64_t i = 0; i < tiling.count && status == SFT_OK; i++) {
        status = sft_move_tile(&job->mover, hands, what, number, bytes, i, error);
    }
    return status == SFT_OK ? sft_copy_report(job, planned->size, error) : status;
}

static sft_status move_group(const sft_copy_job *job, const sft_hands *hands, unsigned what,
                             const group *g, sft_error *error) {
    const sft_plan_tensor *first = job->mover.tensors[g->order[0]];
    const sft_region *packed = &sft_move_storage(first)->region;
    const sft_region *bytes = packed;
    scratch unpacked = {.allocator = job->allocator, .fd = -1};
    sft_status status = SFT_OK;
    if (!comes_in_order(&job->mover, g)) {
        status = scratch_begin(&unpacked, job, packed->size, error);
        if (status == SFT_OK) {
            status = scratch_fill(&unpacked, job, hands, packed, error);
        }
        if (status != SFT_OK) {
            sft_error_tensor(error, first->name, first->name_length);
            sft_error_file(error, job->mover.paths[first->source]);
        }
        bytes = &unpacked.region;
    }
    for (uint64_t i = 0; i < g->count && status == SFT_OK; i++) {
        status = move_tensor(job, hands, what, g->order[i], bytes, error);
    }
    scratch_free(&unpacked);
    return status;
}

static uint64_t count_group(const sft_mover *mover, const uint32_t *order, uint64_t left) {
    const sft_plan_tensor *first = mover->tensors[order[0]];
    uint64_t count = 1;
    while (count < left && mover->tensors[order[count]]->source == first->source &&
           mover->tensors[order[count]]->tensor->storage == first->tensor->storage) {
        count++;
    }
    return count;
}

sft_status sft_copy_packed(const sft_copy_job *job, const sft_hands *hands, sft_error *error) {
    const sft_mover *mover = &job->mover;
    uint32_t *order = sft_sort(mover, (uint32_t)mover->count, stands_after, &job->allocator);
    if (order == NULL) {
        return sft_fail_memory(error);
    }
    uint64_t packed = 0;
    for (uint64_t i = 0; i < mover->count; i++) {
        const sft_plan_tensor *planned = mover->tensors[order[i]];
        if (planned->size > 0 && sft_copy_is_packed(planned)) {
            order[packed++] = order[i];
        }
    }
    sft_status status = SFT_OK;
    for (unsigned what = SFT_MOVE_PUT; what <= SFT_MOVE_CHECK && status == SFT_OK; what *= 2) {
        for (uint64_t i = 0; i < packed && status == SFT_OK;) {
            group g = {order + i, count_group(mover, order + i, packed - i)};
            status = move_group(job, hands, what, &g, error);
            i += g.count;
        }
    }
    sft_release(&job->allocator, order, mover->count * sizeof *order);
    return status;
}
