/* Pickles, one behind the other, as they stand in a region. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "checkpoint/joblib.h"
#include "checkpoint/walk_pickle.h"
#include "checkpoint/zip.h"

/* Pickles in a row that are looked at. Each costs something however short it is. */
#define MOST_PICKLES 100000

/* A first pickle of this size may be the number that torch's legacy container begins with. */
#define LONGEST_MAGIC 64

/* ---- judgements ---- */

/* Whether a module of that name may be there to be imported, whatever is looked up in it. */
static bool is_plausible(const sft_graph *graph, sft_ref ref) {
    sft_pair pair;
    if (ref == SFT_NO_REF || !sft_graph_pair(graph, ref, &pair) || pair.module_length == 0) {
        return false;
    }
    const unsigned char *module = (const unsigned char *)pair.module;
    const unsigned char *name = (const unsigned char *)pair.name;
    if (sft_utf8_check(module, pair.module_length) < pair.module_length ||
        sft_utf8_check(name, pair.name_length) < pair.name_length) {
        return false;
    }
    for (size_t i = 0; i < pair.module_length; i++) {
        if (module[i] < 0x20 || module[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* In bytes that are maybe no opcodes only this counts: that something is imported or called. */
static bool is_import_or_call(const sft_reading *r, const sft_effect *effect) {
    const sft_graph *graph = &r->pickle.graph;
    if (effect == NULL) {
        return false;
    }
    switch ((sft_effect_kind)effect->kind) {
    case SFT_EFFECT_GLOBAL:
        return is_plausible(graph, effect->subject);
    case SFT_EFFECT_CALL:
        return sft_graph_kind(graph, effect->subject) == SFT_VALUE_OBJECT &&
               is_plausible(graph, sft_graph_object(graph, effect->subject)->callee);
    case SFT_EFFECT_EXTENSION:
        /* One random byte is enough for this, and another for STOP: PROTO must stand before it. */
        return r->pickle.begins_with_proto;
    default:
        return false;
    }
}

static bool say_nested(sft_reading *r) {
    if (!r->is_nested || r->nested_said) {
        return true;
    }
    r->nested_said = true;
    r->status =
        sft_walk_say(r->walk, r->item, SFT_SEVERITY_UNKNOWN, "NESTED_PICKLE", r->pickle.start,
                     "a pickle lies here, where none is known to belong", r->error);
    return r->status == SFT_OK;
}

/* Gives what lies before `at` its place among the findings. */
static bool place_raw_pickles(sft_reading *r, uint64_t at) {
    while (r->status == SFT_OK && r->placed < r->raw_count && r->raw[r->placed].offset < at) {
        const sft_raw_pickle *raw = &r->raw[r->placed++];
        sft_part part = {.offset = raw->offset,
                         .size = raw->size,
                         .view = SFT_VIEW_PICKLES,
                         .expect = SFT_EXPECT_PICKLE,
                         .is_deeper = true};
        r->status = sft_reading_add(r, &part);
    }
    return r->status == SFT_OK;
}

static bool on_judgement(void *context, const sft_judgement *judgement) {
    sft_reading *r = context;
    if (judgement->at < r->from || (r->only_calls && !is_import_or_call(r, judgement->effect))) {
        return true;
    }
    if (!say_nested(r) || !place_raw_pickles(r, judgement->at)) {
        return false;
    }
    sft_finding finding = {.severity = judgement->severity,
                           .code = judgement->code,
                           .detail = judgement->detail,
                           .byte = judgement->at,
                           .opcode = judgement->opcode,
                           .global = judgement->global,
                           .call = judgement->call};
    r->status = sft_walk_find(r->walk, r->item, finding, r->error);
    return r->status == SFT_OK;
}

/* ---- texts that are handed to loaders ---- */

/* Whether a text is met for the first time: however often it is handed on, it is walked once. */
static bool is_new_text(sft_reading *r, uint64_t number) {
    const sft_graph *graph = &r->pickle.graph;
    if (r->seen == NULL) {
        r->seen_size = graph->text_count / 8 + 1;
        r->seen = sft_allocate_zeroed(&r->walk->allocator, 1, r->seen_size);
        if (r->seen == NULL) {
            r->status = sft_fail_memory(r->error);
            return false;
        }
    }
    unsigned char bit = (unsigned char)(1U << (number % 8));
    bool is_new = (r->seen[number / 8] & bit) == 0;
    r->seen[number / 8] |= bit;
    return is_new;
}

static bool has_text(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    return kind == SFT_VALUE_STR || kind == SFT_VALUE_OLD_STR || kind == SFT_VALUE_BYTES ||
           kind == SFT_VALUE_BYTEARRAY;
}

static bool on_handed(void *context, const sft_handed *handed) {
    sft_reading *r = context;
    const sft_graph *graph = &r->pickle.graph;
    sft_ref ref = handed->text;
    bool latin1 = false;
    if (handed->at < r->from ||
        (!sft_bytes_of(graph, handed->text, &ref, &latin1) && !has_text(graph, handed->text))) {
        return true;
    }
    if (!is_new_text(r, sft_graph_value(graph, ref)->text)) {
        return r->status == SFT_OK;
    }
    const sft_long_text *text = sft_graph_text(graph, ref);
    sft_part part = {.offset = text->text.offset,
                     .size = text->length,
                     .view = SFT_VIEW_FILE,
                     .expect =
                         handed->to_loader && !r->is_nested ? SFT_EXPECT_LOADED : SFT_EXPECT_MEMBER,
                     .is_text = true,
                     .is_latin1 = latin1,
                     .is_deeper = true,
                     .at = r->item->base + handed->at};
    if (text->text.bytes != NULL) {
        part.bytes = sft_arena_copy(&r->list->arena, text->text.bytes, text->length);
        if (part.bytes == NULL) {
            r->status = sft_fail_memory(r->error);
            return false;
        }
    }
    if (place_raw_pickles(r, handed->at)) {
        r->status = sft_reading_add(r, &part);
    }
    return r->status == SFT_OK;
}

sft_status sft_reading_add(sft_reading *r, sft_part *part) {
    part->place = sft_findings_place(r->walk->findings, r->item->place);
    if (part->place == NULL) {
        return sft_fail_memory(r->error);
    }
    sft_status status = sft_list_add(r->walk, r->list, part, r->error);
    if (status != SFT_OK) {
        sft_findings_leave(r->walk->findings, part->place);
    }
    return status;
}

/* ---- one pickle ---- */

static sft_status judge(sft_reading *r) {
    bool is_last_level = r->item->depth >= r->walk->limits.nesting;
    sft_judge judging = {.policy = &r->walk->policy,
                         .input = &r->input,
                         .input_size = r->walk->root.file.size > r->input.size
                                           ? r->walk->root.file.size
                                           : r->input.size,
                         .context = r,
                         .found = on_judgement,
                         .handed = is_last_level ? NULL : on_handed};
    r->status = SFT_OK;
    sft_status status = sft_judge_pickle(&r->pickle, &judging, r->error);
    sft_release(&r->walk->allocator, r->seen, r->seen_size);
    r->seen = NULL;
    if (status == SFT_OK) {
        status = r->status;
    }
    return status == SFT_OK && !place_raw_pickles(r, UINT64_MAX) ? r->status : status;
}

sft_pickle_options sft_reading_options(const sft_reading *r) {
    return (sft_pickle_options){.allocator = &r->walk->allocator, .memory = r->walk->limits.memory};
}

/* Where a pickle of objects, which joblib writes within another one, ends. */
static bool measure_raw_pickle(void *context, uint64_t position, uint64_t *end) {
    sft_reading *r = context;
    sft_pickle inner;
    sft_pickle_options options = sft_reading_options(r);
    sft_status status = sft_pickle_read(&inner, &r->input, position, &options, r->error);
    *end = inner.position;
    bool ends = status == SFT_OK && inner.end == SFT_PICKLE_STOPPED;
    sft_pickle_free(&inner);
    if (ends) {
        void *raw = r->raw;
        ends = sft_grow(&r->walk->allocator, &raw, &r->raw_capacity, r->raw_count, sizeof *r->raw);
        r->raw = raw;
    }
    if (ends) {
        r->raw[r->raw_count++] = (sft_raw_pickle){position, *end - position};
    }
    return ends;
}

/* joblib's reader, that also remembers where the first raw bytes begin. */
static bool after_build(void *context, const sft_graph *graph, sft_ref object, uint64_t position,
                        uint64_t *raw_offset, uint64_t *raw_size, uint64_t *next) {
    sft_reading *r = context;
    bool seen_before = r->joblib.seen;
    bool raw =
        sft_joblib_after_build(&r->joblib, graph, object, position, raw_offset, raw_size, next);
    if (r->joblib.seen && !seen_before) {
        r->raw_from = position;
    }
    return raw;
}

/* Reads a pickle as data. What counts of it depends on how it ends. */
static sft_status read_pickle(sft_reading *r, uint64_t start, bool as_joblib) {
    sft_pickle_options options = sft_reading_options(r);
    r->joblib =
        (sft_joblib){.region = &r->item->region, .nested = measure_raw_pickle, .context = r};
    r->raw_count = r->placed = 0;
    if (as_joblib) {
        options.after_build = after_build;
        options.after_build_context = r;
    }
    sft_error failure;
    sft_status status = sft_pickle_read(&r->pickle, &r->input, start, &options, &failure);
    r->damage = status;
    if (status == SFT_OK && !r->walk->out_of_memory) {
        return SFT_OK;
    }
    r->failure = failure;
    bool limit;
    return sft_walk_explain(r->walk, status, &limit, r->error);
}

static bool has_import(const sft_graph *graph) {
    for (uint64_t i = 0; i < graph->effect_count; i++) {
        if (graph->effects[i].kind == SFT_EFFECT_GLOBAL ||
            graph->effects[i].kind == SFT_EFFECT_CALL) {
            return true;
        }
    }
    return false;
}

/*
 * A file that begins without PROTO, and breaks before it has imported anything, is likely something
 * else: a text, or MessagePack, whose first byte may be that of EXT1.
 */
static bool is_something_else(const sft_reading *r, uint64_t number) {
    return r->item->expect == SFT_EXPECT_FILE && number == 0 && r->damage == SFT_OK &&
           r->pickle.end == SFT_PICKLE_BROKEN && !r->pickle.begins_with_proto &&
           !has_import(&r->pickle.graph);
}

static bool counts(const sft_reading *r) {
    return !r->is_nested || r->pickle.begins_with_proto || r->pickle.end == SFT_PICKLE_STOPPED;
}

/*
 * Who does not know of joblib reads its raw bytes as opcodes. Of the nonsense that this gives, only
 * what names something that can be imported is told.
 */
static sft_status read_without_joblib(sft_reading *r, uint64_t start) {
    bool only_calls = r->only_calls;
    sft_status status = read_pickle(r, start, false);
    if (status == SFT_OK && counts(r)) {
        r->from = r->raw_from;
        r->only_calls = true;
        status = judge(r);
        r->from = 0;
        r->only_calls = only_calls;
    }
    sft_pickle_free(&r->pickle);
    return status;
}

static sft_status say_misread(sft_reading *r) {
    return sft_walk_say(r->walk, r->item, SFT_SEVERITY_UNKNOWN, "BUFFER", r->pickle.start,
                        "joblib would take bytes in here for an array, and nobody can tell which",
                        r->error);
}

/* Reads and judges one pickle both ways, and keeps how it ended. */
static sft_status look_at_one(sft_reading *r, uint64_t start, uint64_t number, sft_ending *ending) {
    sft_status status = read_pickle(r, start, true);
    const sft_pickle *pickle = &r->pickle;
    r->only_calls = r->is_nested || (number > 0 && pickle->end != SFT_PICKLE_STOPPED);
    bool is_other = is_something_else(r, number);
    if (status == SFT_OK && counts(r) && !is_other) {
        status = judge(r);
    }
    if (status == SFT_OK && r->item->zip != NULL) {
        status = sft_check_storages(r);
    }
    sft_value_kind result =
        pickle->result != SFT_NO_REF && pickle->result < pickle->graph.value_count
            ? sft_graph_kind(&pickle->graph, pickle->result)
            : SFT_VALUE_NONE;
    *ending = (sft_ending){
        .end = pickle->end,
        .damage = r->damage,
        .start = start,
        .position = pickle->position,
        .opcode = pickle->opcode,
        .what = pickle->what,
        .is_other = is_other,
        .is_number = result == SFT_VALUE_BIG_INT || result == SFT_VALUE_INT,
        .is_joblib = r->joblib.seen,
    };
    sft_ending_of_part(pickle, ending);
    bool misread = r->joblib.misread && !r->is_nested;
    sft_pickle_free(&r->pickle);
    if (status == SFT_OK && misread) {
        status = say_misread(r);
    }
    return status == SFT_OK && ending->is_joblib ? read_without_joblib(r, start) : status;
}

/* ---- what is wrong with the stream ---- */

static sft_status say_broken(sft_reading *r, const sft_ending *ending) {
    sft_finding finding = {
        .severity = SFT_SEVERITY_MALFORMED, .byte = ending->position, .detail = ending->what};
    if (ending->damage != SFT_OK) {
        return sft_walk_say_broken(r->walk, r->item, ending->damage, &r->failure, r->error);
    }
    if (ending->end == SFT_PICKLE_LIMIT) {
        finding.code = "LIMIT";
    } else if (strncmp(ending->what, "the input ends", 14) == 0) {
        finding.code = "TRUNCATED";
    } else {
        finding.code = "BROKEN";
        finding.opcode = sft_opcode_name(ending->opcode);
    }
    return sft_walk_find(r->walk, r->item, finding, r->error);
}

sft_status sft_say_trailing(sft_reading *r, uint64_t at) {
    return sft_walk_say(r->walk, r->item, SFT_SEVERITY_UNKNOWN, "TRAILING_BYTES", at,
                        "bytes follow the end of the last pickle", r->error);
}

/* The end of a row of pickles. */
static sft_status say_end(sft_reading *r, const sft_ending *ending, uint64_t number) {
    bool is_limit = ending->end == SFT_PICKLE_LIMIT || ending->damage != SFT_OK;
    if (r->is_nested) {
        return SFT_OK;
    }
    if (number > 0 && !is_limit) {
        return sft_say_trailing(r, ending->start);
    }
    if (ending->is_other) {
        sft_walk_format(r->walk, r->item, SFT_FORMAT_UNRECOGNIZED);
        return SFT_OK;
    }
    return say_broken(r, ending);
}

/* ---- all of them ---- */

static sft_status look_at_all(sft_reading *r) {
    sft_legacy_end legacy = {.recognized = false};
    sft_ending ending = {.position = 0};
    uint64_t size = r->item->region.size;
    for (uint64_t number = 0; ending.position < size; number++) {
        if (legacy.recognized && number >= legacy.pickles) {
            return sft_end_legacy(r, &legacy);
        }
        if (number >= MOST_PICKLES) {
            return sft_walk_say(r->walk, r->item, SFT_SEVERITY_MALFORMED, "LIMIT", ending.position,
                                "more pickles follow one another than are looked at", r->error);
        }
        sft_status status = look_at_one(r, ending.position, number, &ending);
        if (status == SFT_OK && number == 0 && ending.is_joblib) {
            sft_walk_format(r->walk, r->item, SFT_FORMAT_JOBLIB);
        }
        if (status == SFT_OK && ending.end != SFT_PICKLE_STOPPED) {
            return say_end(r, &ending, number);
        }
        if (status == SFT_OK && r->item->view != SFT_VIEW_PICKLES) {
            status = sft_skip_in_part(r, number, &ending);
        } else if (status == SFT_OK && number == 0 && ending.is_number &&
                   ending.position <= LONGEST_MAGIC) {
            status = sft_read_legacy(r, &legacy);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    r->is_filled = true;
    return SFT_OK;
}

/*
 * Readers of zip archives begin at the end of a file. What they find within the texts of a pickle
 * that fills the file is there with reason; all else is an archive with a pickle in front of it.
 */
static sft_status look_for_zip(sft_reading *r) {
    const sft_region *region = &r->item->region;
    if (r->item->expect == SFT_EXPECT_DATA || r->item->depth >= r->walk->limits.nesting ||
        !sft_zip_has_end(region)) {
        return SFT_OK;
    }
    sft_part part = {.size = region->size,
                     .view = SFT_VIEW_ZIP,
                     .expect = r->item->expect,
                     .is_enclosed = r->is_filled};
    return sft_list_add(r->walk, r->list, &part, r->error);
}

sft_status sft_reading_begin(sft_reading *r, sft_walk *walk, const sft_item *item,
                             sft_error *error) {
    memset(r, 0, sizeof *r);
    r->list = sft_list_push(walk, item);
    if (r->list == NULL) {
        sft_fail_memory(error);
        return SFT_NO_MEMORY;
    }
    r->walk = walk;
    r->item = &r->list->frame.item;
    r->input = sft_region_input(&r->item->region);
    r->is_nested = item->expect == SFT_EXPECT_DATA || item->expect == SFT_EXPECT_MEMBER;
    r->error = error;
    return SFT_OK;
}

void sft_reading_end(sft_reading *r) {
    sft_release(&r->walk->allocator, r->raw, r->raw_capacity * sizeof *r->raw);
}

/* Pickles in pickles come here without being files: theirs is the same limit. */
static sft_status refuse_nesting(sft_walk *walk, const sft_item *item, sft_error *error) {
    return sft_item_is_data(item)
               ? SFT_OK
               : sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "LIMIT", 0,
                              "pickles lie deeper in each other than the limit allows", error);
}

sft_status sft_walk_pickles(sft_walk *walk, const sft_item *item, sft_error *error) {
    if (item->depth > walk->limits.nesting) {
        return refuse_nesting(walk, item, error);
    }
    sft_reading r;
    sft_status status = sft_reading_begin(&r, walk, item, error);
    if (status == SFT_OK) {
        status = look_at_all(&r);
        if (status == SFT_OK) {
            status = look_for_zip(&r);
        }
        sft_reading_end(&r);
    }
    return status;
}
