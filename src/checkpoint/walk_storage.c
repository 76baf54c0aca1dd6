/*
 * The storages that torch's pickle asks for, held against the files in its zip archive: a tensor
 * that is larger than its storage let torch write beyond memory of its own (CVE-2026-24747).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "checkpoint/torch_id.h"
#include "checkpoint/walk_pickle.h"
#include "checkpoint/zip.h"

/* torch names them so, whatever else the key holds. */
static const sft_zip_entry *find_storage(const sft_zip *zip, const sft_torch_id *id) {
    char name[256] = "data/";
    size_t folder = strlen(name);
    if (id->key_length > sizeof name - folder) {
        return NULL;
    }
    memcpy(name + folder, id->key, id->key_length);
    return sft_zip_find(zip, name, folder + id->key_length);
}

static sft_status say(sft_reading *r, const sft_effect *effect, const char *code,
                      const char *detail) {
    sft_finding finding = {.severity = SFT_SEVERITY_MALFORMED,
                           .code = code,
                           .detail = detail,
                           .byte = effect->at,
                           .opcode = sft_opcode_name(effect->opcode)};
    return sft_walk_find(r->walk, r->item, finding, r->error);
}

static sft_status check(sft_reading *r, const sft_effect *effect, const sft_torch_id *id) {
    char detail[200];
    sft_shown key = sft_show(id->key, id->key_length);
    const sft_zip_entry *entry = find_storage(r->item->zip, id);
    if (entry == NULL) {
        snprintf(detail, sizeof detail, "storage %s is not in the archive", key.text);
        return say(r, effect, "MISSING_STORAGE", detail);
    }
    uint64_t size;
    if (sft_multiply(id->elements, id->item_size, &size) && size == entry->size) {
        return SFT_OK;
    }
    snprintf(detail, sizeof detail,
             "storage %s has %" PRIu64 " byte%s, which is not what %" PRIu64
             " element%s of %" PRIu32 " need",
             key.text, entry->size, sft_plural(entry->size), id->elements, sft_plural(id->elements),
             id->item_size);
    return say(r, effect, "STORAGE_SIZE", detail);
}

sft_status sft_check_storages(sft_reading *r) {
    const sft_graph *graph = &r->pickle.graph;
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < graph->effect_count && status == SFT_OK; i++) {
        const sft_effect *effect = &graph->effects[i];
        sft_torch_id id;
        if (effect->kind != SFT_EFFECT_PERSISTENT ||
            !sft_torch_id_of(graph, effect->subject, false, &id)) {
            continue;
        }
        status = check(r, effect, &id);
    }
    return status;
}
