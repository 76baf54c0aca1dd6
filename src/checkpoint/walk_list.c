/* Frames whose parts are known beforehand. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/walk.h"

/* Texts in what was unpacked are copied up to this size, so that nobody goes back for them. */
#define COPIED (UINT64_C(64) << 20)

static char *label_of_text(sft_walk *walk, sft_arena *arena, const char *outer, uint64_t at) {
    (void)walk;
    char name[48];
    int length = snprintf(name, sizeof name, "text for byte %" PRIu64, at);
    size_t before = outer != NULL ? strlen(outer) + 1 : 0;
    char *label = sft_arena_take(arena, before + (size_t)length + 1);
    if (label != NULL) {
        if (outer != NULL) {
            memcpy(label, outer, before - 1);
            label[before - 1] = '!';
        }
        memcpy(label + before, name, (size_t)length + 1);
    }
    return label;
}

/* The bytes of a text, by which it becomes a file of its own. */
static sft_status open_text(sft_walk *walk, sft_frame *frame, const sft_part *part, sft_item *item,
                            sft_error *error) {
    sft_status status = SFT_OK;
    if (part->bytes != NULL) {
        item->made = false;
        status = sft_sources_memory(&frame->sources, part->bytes, part->size, &item->region, error);
    }
    if (status == SFT_OK && part->is_latin1) {
        sft_region text = item->region;
        sft_error failure;
        uint64_t count = 0;
        status = sft_text_characters(&text, &count, &failure);
        if (status != SFT_OK) {
            bool limit;
            item->region.size = 0;
            return sft_walk_explain(walk, status, &limit, error);
        }
        status = sft_sources_latin1(&frame->sources, &text, count, &item->region, error);
        item->made = true;
    }
    if (status == SFT_OK) {
        status = sft_walk_settle(walk, &frame->sources.arena, COPIED, item, error);
    }
    item->region.label =
        label_of_text(walk, &frame->sources.arena, frame->item.region.label, part->at);
    return status == SFT_OK && item->region.label == NULL ? sft_fail_memory(error) : status;
}

static sft_status open_packed(sft_walk *walk, sft_frame *frame, const sft_part *part,
                              sft_item *item, sft_error *error) {
    sft_region packed = item->region;
    item->made = true;
    item->base = 0;
    return sft_walk_unpack(walk, &frame->sources, &packed, part->packing, part->size,
                           !part->is_damaged, &item->region, error);
}

static sft_status open_part(sft_walk *walk, sft_frame *frame, const sft_part *part, sft_item *item,
                            sft_error *error) {
    *item = frame->item;
    item->view = part->view;
    item->expect = part->expect;
    item->enclosed = part->is_enclosed;
    item->zip = part->is_deeper ? NULL : item->zip;
    item->depth += part->is_deeper;
    item->place = part->place != NULL ? part->place : frame->item.place;
    if (part->is_packed) {
        return open_packed(walk, frame, part, item, error);
    }
    if (part->bytes == NULL) {
        if (!sft_region_part(&frame->item.region, part->offset, part->size, &item->region)) {
            item->region.size = 0;
        }
        item->base = part->is_text ? 0 : frame->item.base + part->offset;
    } else {
        item->base = 0;
    }
    return part->is_text ? open_text(walk, frame, part, item, error) : SFT_OK;
}

static void leave_part(sft_walk *walk, sft_list *list, uint64_t index) {
    if (list->parts[index].place != NULL) {
        sft_findings_leave(walk->findings, list->parts[index].place);
    }
}

static sft_status next_part(sft_walk *walk, sft_frame *frame, sft_item *item, bool *found,
                            sft_error *error) {
    sft_list *list = (sft_list *)frame;
    if (list->next > 0 && list->next <= list->count) {
        leave_part(walk, list, list->next - 1);
        list->parts[list->next - 1].place = NULL;
    }
    *found = list->next < list->count;
    return *found ? open_part(walk, frame, &list->parts[list->next++], item, error) : SFT_OK;
}

static void end_list(sft_walk *walk, sft_frame *frame) {
    sft_list *list = (sft_list *)frame;
    for (uint64_t i = 0; i < list->count; i++) {
        leave_part(walk, list, i);
    }
    sft_release(&walk->allocator, list->parts, list->capacity * sizeof *list->parts);
    sft_arena_free(&list->arena);
}

sft_list *sft_list_push(sft_walk *walk, const sft_item *item) {
    sft_list *list = (sft_list *)sft_walk_push(walk, sizeof *list, item);
    if (list != NULL) {
        list->frame.next = next_part;
        list->frame.end = end_list;
        sft_arena_init(&list->arena, &walk->allocator);
    }
    return list;
}

sft_status sft_list_add(sft_walk *walk, sft_list *list, const sft_part *part, sft_error *error) {
    void *parts = list->parts;
    bool grown =
        sft_grow(&walk->allocator, &parts, &list->capacity, list->count, sizeof *list->parts);
    list->parts = parts;
    if (!grown) {
        return sft_fail_memory(error);
    }
    list->parts[list->count++] = *part;
    return SFT_OK;
}
