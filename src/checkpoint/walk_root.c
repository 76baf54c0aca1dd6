/* The file that is scanned, as a source that tells how far it was read. */
#include <errno.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/walk.h"

/* Bytes between two calls of the caller's progress. */
#define STRIDE (UINT64_C(4) << 20)

static int root_size(void *context, uint64_t *size) {
    const sft_root *root = context;
    *size = root->file.size;
    return 0;
}

static void tell(sft_root *root) {
    root->told = root->done;
    if (root->progress != NULL &&
        !root->progress(root->progress_context, root->done, root->file.size) &&
        root->status == SFT_OK) {
        root->status = sft_fail(&root->error, SFT_CANCELLED, SFT_NO_BYTE, "the scan was cancelled");
    }
}

static int64_t root_read_at(void *context, uint64_t offset, void *to, size_t size) {
    sft_root *root = context;
    if (root->status != SFT_OK) {
        return -ECANCELED;
    }
    if (offset >= root->file.size) {
        return 0;
    }
    size_t piece = (size_t)sft_min(size, root->file.size - offset);
    root->status = sft_region_read(&root->file, offset, to, piece, &root->error);
    /* What is read again is not counted beyond the whole. */
    root->done += sft_min(piece, root->file.size - root->done);
    if (root->status == SFT_OK && root->done - root->told >= STRIDE) {
        tell(root);
    }
    return root->status == SFT_OK ? (int64_t)piece : -EIO;
}

void sft_root_begin(sft_root *root, const sft_region *file, const sft_scan_options *options) {
    root->file = *file;
    root->source = (sft_source){root, root_size, root_read_at, NULL, NULL};
    root->progress = options->progress;
    root->progress_context = options->progress_context;
    root->done = root->told = 0;
    root->status = SFT_OK;
    tell(root);
}

sft_region sft_root_region(const sft_root *root) {
    return (sft_region){&root->source, 0, root->file.size, -1, root->file.label};
}

bool sft_root_passed(sft_root *root, uint64_t bytes) {
    root->done += sft_min(bytes, root->file.size - root->done);
    if (root->status == SFT_OK && root->done - root->told >= STRIDE) {
        tell(root);
    }
    return root->status == SFT_OK;
}

void sft_root_end(sft_root *root) {
    root->done = root->file.size;
    if (root->done > root->told) {
        tell(root);
    }
}
