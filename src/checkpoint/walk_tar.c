/* Tar archives; among them what torch.save wrote in its first months. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/tar.h"
#include "checkpoint/walk.h"

typedef struct tar_frame {
    sft_frame frame;
    uint64_t position;
    bool torch;
    bool ended; /* what follows the archive was looked at */
} tar_frame;

static bool is_called(const char *name, const char *wanted) {
    return strcmp(strncmp(name, "./", 2) == 0 ? name + 2 : name, wanted) == 0;
}

static sft_view view_of(const tar_frame *tar, const char *name) {
    if (tar->torch && is_called(name, "storages")) {
        return SFT_VIEW_TAR_STORAGES;
    }
    return tar->torch && is_called(name, "tensors") ? SFT_VIEW_TAR_TENSORS : SFT_VIEW_FILE;
}

static sft_expect expect_of(const tar_frame *tar, const char *name) {
    if (tar->frame.item.expect == SFT_EXPECT_DATA) {
        return SFT_EXPECT_DATA;
    }
    bool is_pickle = tar->torch && (is_called(name, "storages") || is_called(name, "tensors") ||
                                    is_called(name, "pickle"));
    return is_pickle ? SFT_EXPECT_PICKLE : sft_walk_role(name, strlen(name));
}

/* A link in an archive leads out of it when it is unpacked, as torch does. */
static sft_status say_link(sft_walk *walk, const tar_frame *tar, const sft_tar_member *member,
                           sft_error *error) {
    size_t length = strlen(member->name);
    bool is_folder = length > 0 && member->name[length - 1] == '/';
    if (is_folder || !tar->torch || tar->frame.item.expect == SFT_EXPECT_DATA) {
        return SFT_OK;
    }
    sft_finding finding = {.severity = SFT_SEVERITY_UNKNOWN,
                           .code = "UNSUPPORTED",
                           .member = member->region.label,
                           .byte = SFT_NO_BYTE,
                           .detail = "it is a link or device, and may stand for any file"};
    return sft_walk_find(walk, &tar->frame.item, finding, error);
}

/* Bytes that are read at once where zeros are expected. */
#define ZEROS 16384

/* Goes to the first byte that is not zero; to the region's end if there is none. */
static sft_status skip_zeros(const sft_region *region, uint64_t *position, sft_error *error) {
    char bytes[ZEROS];
    while (*position < region->size) {
        size_t size = (size_t)sft_min(sizeof bytes, region->size - *position);
        sft_status status = sft_region_read(region, *position, bytes, size, error);
        for (size_t i = 0; status == SFT_OK && i < size; i++) {
            if (bytes[i] != 0) {
                *position += i;
                return SFT_OK;
            }
        }
        if (status != SFT_OK) {
            return status;
        }
        *position += size;
    }
    return SFT_OK;
}

/* A record of zeros ends an archive. Some readers go on behind it. */
static sft_status look_behind(sft_walk *walk, tar_frame *tar, sft_item *part, bool *found,
                              sft_error *error) {
    const sft_item *item = &tar->frame.item;
    sft_error failure;
    tar->ended = true;
    sft_status status = skip_zeros(&item->region, &tar->position, &failure);
    if (status != SFT_OK) {
        return sft_walk_say_broken(walk, item, status, &failure, error);
    }
    uint64_t behind = tar->position;
    tar->position = item->region.size;
    *part = *item;
    *found = behind < tar->position &&
             sft_region_part(&item->region, behind, tar->position - behind, &part->region);
    part->base = item->base + behind;
    part->view = SFT_VIEW_FILE;
    part->expect = item->expect == SFT_EXPECT_DATA ? SFT_EXPECT_DATA : SFT_EXPECT_MEMBER;
    part->depth++;
    return !*found || item->expect == SFT_EXPECT_DATA
               ? SFT_OK
               : sft_walk_say(walk, item, SFT_SEVERITY_UNKNOWN, "TRAILING_BYTES", behind,
                              "bytes follow the end of the archive", error);
}

static sft_status next_member(sft_walk *walk, sft_frame *frame, sft_item *part, bool *found,
                              sft_error *error) {
    tar_frame *tar = (tar_frame *)frame;
    const sft_item *item = &frame->item;
    for (;;) {
        sft_tar_member member;
        sft_error failure;
        sft_status status =
            sft_tar_next(&item->region, &tar->position, &frame->sources, &member, found, &failure);
        if (status != SFT_OK) {
            *found = false;
            tar->position = item->region.size;
            tar->ended = true;
            return sft_walk_say_broken(walk, item, status, &failure, error);
        }
        if (!*found) {
            return tar->ended ? SFT_OK : look_behind(walk, tar, part, found, error);
        }
        if (member.regular) {
            *part = *item;
            part->region = member.region;
            part->base = 0;
            part->view = view_of(tar, member.name);
            part->expect = expect_of(tar, member.name);
            part->depth++;
            return SFT_OK;
        }
        status = say_link(walk, tar, &member, error);
        if (status != SFT_OK) {
            return status;
        }
    }
}

/* torch.load takes a tar with this member for its own, be it a file or a link to one. */
static bool is_torch(sft_walk *walk, const sft_region *region) {
    uint64_t position = 0;
    bool found = true;
    bool has_storages = false;
    while (found && !has_storages) {
        sft_sources sources;
        sft_sources_init(&sources, &walk->allocator);
        sft_tar_member member;
        sft_status status = sft_tar_next(region, &position, &sources, &member, &found, NULL);
        found = found && status == SFT_OK;
        has_storages = found && is_called(member.name, "storages");
        sft_sources_free(&sources);
    }
    return has_storages;
}

sft_status sft_walk_tar(sft_walk *walk, const sft_item *item, sft_error *error) {
    tar_frame *tar = (tar_frame *)sft_walk_push(walk, sizeof *tar, item);
    if (tar == NULL) {
        return sft_fail_memory(error);
    }
    tar->frame.next = next_member;
    tar->torch = is_torch(walk, &item->region);
    if (tar->torch) {
        sft_walk_format(walk, item, SFT_FORMAT_TORCH_TAR);
    }
    return SFT_OK;
}
