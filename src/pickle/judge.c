#include "pickle/judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "pickle/judge_call.h"
#include "pickle/judging.h"
#include "pickle/opcode.h"

/* ---- what is known of a name ---- */

sft_known sft_judging_known(const sft_judging *j, sft_ref ref) {
    sft_known known = {sft_policy_of(j->judge->policy, j->graph, ref), 0, SFT_ROLE_NONE, ""};
    if (known.answer.class != SFT_POLICY_ALLOWED && known.answer.class != SFT_POLICY_INERT) {
        return known;
    }
    known.flags = UINT8_MAX;
    if (known.answer.entry != NULL) {
        known.flags = known.answer.entry->flags;
        known.role = known.answer.entry->role;
        known.name = known.answer.entry->name;
    }
    return known;
}

static bool is_kind(const sft_judging *j, sft_ref ref, sft_value_kind kind) {
    return ref != SFT_NO_REF && sft_graph_kind(j->graph, ref) == kind;
}

static sft_ref callee_of(const sft_judging *j, sft_ref object) {
    return sft_graph_object(j->graph, object)->callee;
}

bool sft_judging_arguments(const sft_judging *j, sft_ref object, sft_ref *arguments,
                           uint32_t *count) {
    *arguments = sft_graph_object(j->graph, object)->arguments;
    *count =
        is_kind(j, *arguments, SFT_VALUE_TUPLE) ? sft_graph_value(j->graph, *arguments)->count : 0;
    return is_kind(j, *arguments, SFT_VALUE_TUPLE);
}

sft_role sft_judging_made_by(const sft_judging *j, sft_ref ref) {
    return is_kind(j, ref, SFT_VALUE_OBJECT) ? sft_judging_known(j, callee_of(j, ref)).role
                                             : SFT_ROLE_NONE;
}

sft_known sft_judging_result(const sft_judging *j, sft_ref object) {
    sft_known known = sft_judging_known(j, callee_of(j, object));
    sft_ref arguments;
    uint32_t count;
    if (known.role == SFT_ROLE_RECONSTRUCTOR &&
        sft_judging_arguments(j, object, &arguments, &count) && count > 0) {
        return sft_judging_known(j, sft_graph_at(j->graph, arguments, 0));
    }
    return known;
}

/* ---- reporting ---- */

static void report(sft_judging *j, const sft_effect *effect, sft_severity severity,
                   const char *code, sft_ref global, sft_ref call, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

static void report(sft_judging *j, const sft_effect *effect, sft_severity severity,
                   const char *code, sft_ref global, sft_ref call, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(j->detail, sizeof j->detail, format, arguments);
    va_end(arguments);
    sft_judgement judgement = {severity,
                               code,
                               effect,
                               effect->at,
                               sft_opcode_name(effect->opcode),
                               global != SFT_NO_REF ? j->global : NULL,
                               call != SFT_NO_REF ? j->call : NULL,
                               j->detail};
    j->reported++;
    j->stopped = !j->judge->found(j->judge->context, &judgement);
}

static const char *show_global(sft_judging *j, sft_ref ref) {
    size_t used = 0;
    /* Python writes builtins without their module; a report names it. */
    sft_ref module = sft_graph_value(j->graph, ref)->global.module;
    if (sft_graph_is_text(j->graph, module, "builtins")) {
        used = (size_t)snprintf(j->global, sizeof j->global, "builtins.");
    } else if (sft_graph_is_text(j->graph, module, "__builtin__")) {
        used = (size_t)snprintf(j->global, sizeof j->global, "__builtin__.");
    }
    sft_show_value(j->graph, j->judge->input, ref, j->global + used, sizeof j->global - used);
    return j->global;
}

/* From so many judgements on, calls are shown in short: nobody reads them all, and it takes time.
 */
#define SHOWN_IN_FULL 10000
#define SHORT 64

static const char *show_call(sft_judging *j, sft_ref ref) {
    size_t room = j->reported < SHOWN_IN_FULL ? sizeof j->call : SHORT;
    sft_show_value(j->graph, j->judge->input, ref, j->call, room);
    return j->call;
}

/* What a dangerous name does, to follow on it: ", which runs a shell command". */
typedef struct reason {
    char text[200];
} reason;

static reason why(const sft_policy_answer *answer) {
    reason r;
    const sft_policy_entry *entry = answer->entry;
    if (entry->name == NULL && entry->module[0] != '\0') {
        snprintf(r.text, sizeof r.text, "; the module %s %s", entry->module, entry->why);
    } else {
        snprintf(r.text, sizeof r.text, ", which %s", entry->why);
    }
    return r;
}

static sft_severity severity_of(const sft_policy_answer *answer) {
    return answer->class == SFT_POLICY_DANGEROUS ? SFT_SEVERITY_DANGEROUS : SFT_SEVERITY_UNKNOWN;
}

static bool is_fine(const sft_policy_answer *answer) {
    return answer->class == SFT_POLICY_ALLOWED || answer->class == SFT_POLICY_INERT;
}

/* ---- names ---- */

static bool is_text(const sft_judging *j, sft_ref ref) {
    return is_kind(j, ref, SFT_VALUE_STR) || is_kind(j, ref, SFT_VALUE_OLD_STR);
}

static bool is_computed(const sft_judging *j, sft_ref global) {
    const sft_value *value = sft_graph_value(j->graph, global);
    return !is_text(j, value->global.module) || !is_text(j, value->global.name);
}

/* A name that is computed, in a module that is not. */
static void judge_computed(sft_judging *j, const sft_effect *effect) {
    sft_ref ref = effect->subject;
    sft_ref module = sft_graph_value(j->graph, ref)->global.module;
    sft_policy_answer answer = {SFT_POLICY_UNKNOWN, NULL, false};
    if (is_text(j, module) && sft_graph_text(j->graph, module)->text.bytes != NULL) {
        const sft_long_text *text = sft_graph_text(j->graph, module);
        sft_pair pair = {text->text.bytes, (size_t)text->length, "", 0};
        answer = sft_policy_ask(NULL, &pair);
    }
    report(j, effect, severity_of(&answer), "COMPUTED_NAME", ref, SFT_NO_REF,
           "loading looks up a name that is put together while loading, so that nobody can tell "
           "which it is%s",
           answer.class == SFT_POLICY_DANGEROUS ? why(&answer).text : "");
}

static void judge_global(sft_judging *j, const sft_effect *effect) {
    sft_ref ref = effect->subject;
    sft_policy_answer answer = sft_policy_of(j->judge->policy, j->graph, ref);
    if (is_fine(&answer)) {
        return;
    }
    const char *name = show_global(j, ref);
    if (is_computed(j, ref)) {
        judge_computed(j, effect);
    } else if (answer.dotted) {
        report(j, effect, severity_of(&answer), "DOTTED_NAME", ref, SFT_NO_REF,
               "loading looks up %s%s; a name with a dot reaches through the objects on its way",
               name, answer.class == SFT_POLICY_DANGEROUS ? why(&answer).text : "");
    } else if (answer.class == SFT_POLICY_DANGEROUS) {
        report(j, effect, SFT_SEVERITY_DANGEROUS, "DANGEROUS_GLOBAL", ref, SFT_NO_REF,
               "loading looks up %s%s", name, why(&answer).text);
    } else {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "UNKNOWN_GLOBAL", ref, SFT_NO_REF,
               "loading imports and looks up %s, which is not on the list of what is known to be "
               "harmless",
               name);
    }
}

/* ---- calls ---- */

/* How far a call of what calls returned is followed back to a name. */
#define CALLS_BACK 8

static sft_ref first_callee(const sft_judging *j, sft_ref object) {
    sft_ref callee = callee_of(j, object);
    for (unsigned i = 0; i < CALLS_BACK && is_kind(j, callee, SFT_VALUE_OBJECT); i++) {
        callee = callee_of(j, callee);
    }
    return callee;
}

static void judge_bad_call(sft_judging *j, const sft_effect *effect, sft_ref global,
                           const sft_policy_answer *answer) {
    sft_ref object = effect->subject;
    const char *call = show_call(j, object);
    bool direct = callee_of(j, object) == global;
    if (answer->class == SFT_POLICY_DANGEROUS) {
        report(j, effect, SFT_SEVERITY_DANGEROUS, "DANGEROUS_CALL", global, object,
               "loading calls %s%s%s%s", call, direct ? "" : ", a result of ",
               direct ? "" : j->global, why(answer).text);
    } else if (!direct || is_computed(j, global)) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "UNKNOWN_CALL", global, object,
               "loading makes the call %s, of something that comes about while loading, so that "
               "nobody can tell what runs",
               call);
    } else if (is_fine(answer)) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "UNKNOWN_CALL", global, object,
               "loading calls %s, which is known to be harmless only where it is named and not "
               "called",
               call);
    } else {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "UNKNOWN_CALL", global, object,
               "loading calls %s, which is not on the list of what is known to be harmless", call);
    }
}

static void judge_known_call(sft_judging *j, const sft_effect *effect, const sft_known *known) {
    sft_ref object = effect->subject;
    const char *fault = sft_judge_call(j, known, object);
    if (fault != NULL) {
        /* What would be a tensor is none: nothing to vouch for, and nothing to be read. */
        bool is_limit = fault == sft_too_far;
        show_global(j, callee_of(j, object));
        report(j, effect, is_limit ? SFT_SEVERITY_MALFORMED : SFT_SEVERITY_UNKNOWN,
               is_limit ? "LIMIT" : "ARGUMENT", callee_of(j, object), object,
               "loading calls %s: %s", show_call(j, object), fault);
    }
}

static sft_status judge_call(sft_judging *j, const sft_effect *effect, sft_error *error) {
    sft_ref object = effect->subject;
    sft_ref callee = callee_of(j, object);
    sft_known known = sft_judging_known(j, callee);
    bool fine = is_fine(&known.answer);
    if (fine && (known.flags & (SFT_POLICY_CALLABLE | SFT_POLICY_NEW)) != 0) {
        sft_ref arguments;
        uint32_t count;
        if (known.role == SFT_ROLE_TORCH_LOAD_FROM_BYTES &&
            sft_judging_arguments(j, object, &arguments, &count) && count > 0) {
            sft_judge_loaded(j, sft_graph_at(j->graph, arguments, 0), effect->at);
        }
        if (!j->stopped) {
            judge_known_call(j, effect, &known);
        }
        return SFT_OK;
    }
    sft_ref global = first_callee(j, object);
    global = is_kind(j, global, SFT_VALUE_GLOBAL) ? global : SFT_NO_REF;
    sft_policy_answer answer = sft_policy_of(j->judge->policy, j->graph, global);
    if (global != SFT_NO_REF) {
        show_global(j, global);
    }
    judge_bad_call(j, effect, global, &answer);
    return j->stopped || sft_judge_handed(j, object, effect->at) ? SFT_OK : sft_fail_memory(error);
}

/* ---- what is done to values ---- */

static const char *what_is(const sft_judging *j, sft_ref ref) {
    switch (sft_graph_kind(j->graph, ref)) {
    case SFT_VALUE_OBJECT:
        return "what a call returned";
    case SFT_VALUE_PERSISTENT:
        return "what the loader gave";
    case SFT_VALUE_EXTENSION:
        return "what a registry gave";
    default:
        return "a plain value";
    }
}

/* On a class, a function or a module: it changes for the whole program. */
static void judge_change(sft_judging *j, const sft_effect *effect, const char *code) {
    sft_ref ref = effect->subject;
    sft_policy_answer answer = sft_policy_of(j->judge->policy, j->graph, ref);
    report(j, effect, severity_of(&answer), code, ref, SFT_NO_REF,
           "loading changes %s itself, for the whole program and not only for this file",
           show_global(j, ref));
}

static void judge_state(sft_judging *j, const sft_effect *effect) {
    sft_ref ref = effect->subject;
    if (is_kind(j, ref, SFT_VALUE_GLOBAL)) {
        judge_change(j, effect, "STATE_SET");
        return;
    }
    if (!is_kind(j, ref, SFT_VALUE_OBJECT)) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "STATE_SET", SFT_NO_REF, SFT_NO_REF,
               "loading sets the state of %s, which a pickle has no reason to do", what_is(j, ref));
        return;
    }
    sft_known known = sft_judging_result(j, ref);
    const char *call = show_call(j, ref);
    if ((known.flags & SFT_POLICY_STATE) == 0) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "STATE_SET", SFT_NO_REF, ref,
               "loading sets the state of what %s returned, by a method that nobody here can vouch "
               "for",
               call);
        return;
    }
    const char *fault = sft_judge_state(j, &known, ref, effect->argument);
    if (fault != NULL) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, "STATE_SET", SFT_NO_REF, ref,
               "loading sets the state of what %s returned: %s", call, fault);
    }
}

static void judge_items(sft_judging *j, const sft_effect *effect, const char *code, uint8_t flags,
                        const char *verb) {
    sft_ref ref = effect->subject;
    if (is_kind(j, ref, SFT_VALUE_GLOBAL)) {
        judge_change(j, effect, code);
        return;
    }
    if (!is_kind(j, ref, SFT_VALUE_OBJECT)) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, code, SFT_NO_REF, SFT_NO_REF,
               "loading %s %s, which does not bear it", verb, what_is(j, ref));
        return;
    }
    if ((sft_judging_result(j, ref).flags & flags) == 0) {
        report(j, effect, SFT_SEVERITY_UNKNOWN, code, SFT_NO_REF, ref,
               "loading %s what %s returned, by a method that nobody here can vouch for", verb,
               show_call(j, ref));
    }
}

/* ---- what is asked of the loader ---- */

static bool is_digits(const sft_judging *j, sft_ref ref) {
    const sft_long_text *text = is_text(j, ref) ? sft_graph_text(j->graph, ref) : NULL;
    if (text == NULL || text->text.bytes == NULL || text->length == 0 || text->length > 20) {
        return false;
    }
    for (uint64_t i = 0; i < text->length; i++) {
        if (text->text.bytes[i] < '0' || text->text.bytes[i] > '9') {
            return false;
        }
    }
    return true;
}

/* ('storage', class, key, location, numel …) in zip and legacy files, a number in tar files. */
static bool is_storage_id(const sft_judging *j, sft_ref id) {
    uint64_t number;
    if (sft_graph_size(j->graph, id, &number) || is_digits(j, id)) {
        return true;
    }
    if (!is_kind(j, id, SFT_VALUE_TUPLE) || sft_graph_value(j->graph, id)->count < 2) {
        return false;
    }
    sft_role role = sft_judging_known(j, sft_graph_at(j->graph, id, 1)).role;
    sft_ref word = sft_graph_at(j->graph, id, 0);
    return is_text(j, word) && sft_graph_is_text(j->graph, word, "storage") &&
           (role == SFT_ROLE_TORCH_STORAGE_CLASS || role == SFT_ROLE_TORCH_UNTYPED_STORAGE ||
            role == SFT_ROLE_TORCH_TYPED_STORAGE);
}

static void judge_persistent(sft_judging *j, const sft_effect *effect) {
    sft_ref id = sft_graph_at(j->graph, effect->subject, 0);
    if (id != SFT_NO_REF && is_storage_id(j, id)) {
        return;
    }
    show_call(j, effect->subject);
    bool is_module = is_kind(j, id, SFT_VALUE_TUPLE) &&
                     sft_graph_at(j->graph, id, 0) != SFT_NO_REF &&
                     sft_graph_is_text(j->graph, sft_graph_at(j->graph, id, 0), "module");
    report(j, effect, SFT_SEVERITY_UNKNOWN, "PERSISTENT_ID", SFT_NO_REF, effect->subject,
           is_module ? "the file brings the source of a class along, and asks for the class: %s"
                     : "loading asks the loader for something that is no storage of a tensor: %s",
           j->call);
}

/* ---- one effect ---- */

static sft_status judge_effect(sft_judging *j, const sft_effect *effect, sft_error *error) {
    switch ((sft_effect_kind)effect->kind) {
    case SFT_EFFECT_GLOBAL:
        judge_global(j, effect);
        break;
    case SFT_EFFECT_CALL:
        return judge_call(j, effect, error);
    case SFT_EFFECT_STATE:
        judge_state(j, effect);
        break;
    case SFT_EFFECT_APPEND:
        judge_items(j, effect, "ITEM_APPENDED",
                    effect->opcode == SFT_OP_ADDITEMS ? SFT_POLICY_GROUP : SFT_POLICY_SEQUENCE,
                    "appends to");
        break;
    case SFT_EFFECT_SET_ITEM:
        judge_items(j, effect, "ITEM_SET", SFT_POLICY_MAPPING, "sets items of");
        break;
    case SFT_EFFECT_PERSISTENT:
        judge_persistent(j, effect);
        break;
    case SFT_EFFECT_EXTENSION:
        report(j, effect, SFT_SEVERITY_UNKNOWN, "EXTENSION_CODE", SFT_NO_REF, SFT_NO_REF,
               "loading imports and looks up whatever is registered under extension code %lld on "
               "the machine that loads",
               (long long)sft_graph_value(j->graph, effect->subject)->integer);
        break;
    case SFT_EFFECT_BUFFER:
        report(j, effect, SFT_SEVERITY_UNKNOWN, "BUFFER", SFT_NO_REF, SFT_NO_REF,
               "loading asks for a buffer that is not in the file");
        break;
    case SFT_EFFECT_STRADDLED:
        report(j, effect, SFT_SEVERITY_UNKNOWN, "FRAME_STRADDLED", SFT_NO_REF, SFT_NO_REF,
               "an instruction crosses the end of its frame: no pickler writes so, and readers "
               "disagree on what it means");
        break;
    case SFT_EFFECT_LEFTOVER:
        report(j, effect, SFT_SEVERITY_UNKNOWN, "STACK_LEFTOVER", SFT_NO_REF, SFT_NO_REF,
               "values besides the result are left at the end: no pickler writes so");
        break;
    case SFT_EFFECT_MEMO:
        report(j, effect, SFT_SEVERITY_MALFORMED, "LIMIT", SFT_NO_REF, SFT_NO_REF,
               "a value is kept under a number beyond the size of the file, for which a loader "
               "takes memory");
        break;
    }
    return SFT_OK;
}

sft_status sft_judge_pickle(const sft_pickle *pickle, const sft_judge *judge, sft_error *error) {
    sft_judging j = {
        .judge = judge, .graph = &pickle->graph, .allocator = sft_allocator_of(judge->allocator)};
    uint64_t values = pickle->graph.value_count;
    j.marks = sft_allocate_zeroed(&j.allocator, values, 1);
    if (j.marks == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = SFT_OK;
    for (uint64_t i = 0; i < pickle->graph.effect_count && !j.stopped && status == SFT_OK; i++) {
        status = judge_effect(&j, &pickle->graph.effects[i], error);
    }
    sft_release(&j.allocator, j.marks, values);
    return status;
}
