/* Design notes
 *
 * A module is one handler of the core; its hooks are looked through for each item. The program
 * exports to modules what begins with peal_ and nothing else (worker/modules.list), so that no
 * function of ours takes the place of a module's own. Libraries are not unloaded: a sanitizer's
 * report, or a thread of the module's, may still point into them, and the process ends then
 * anyway. */

/* System */
#include <assert.h>
#include <dlfcn.h>
/* Third party */
#include <utlist.h>
/* Util */
#include "util/log.h"
#include "util/x_alloc.h"
/* This process */
#include "wk_module_parts.h"

/* ---- registering */

static void add_hook(struct peal *p, enum work_type type, const char *nsp, const char *event,
                     peal_handler f, void *ctx)
{
    assert(p->starts && f); /* peal_handler.h: in start() only */
    p->hooks = x_realloc(p->hooks, (p->nhooks + 1) * sizeof(*p->hooks));
    p->hooks[p->nhooks++] = (struct wk_module_hook){type, x_strdup(nsp ? nsp : "/"),
                                                    event ? x_strdup(event) : NULL, f, ctx};
}

void peal_on_event(struct peal *p, const char *nsp, const char *event, peal_handler f, void *ctx)
{
    add_hook(p, WORK_EVENT, nsp, event ? event : "*", f, ctx);
}

void peal_on_connect(struct peal *p, const char *nsp, peal_handler f, void *ctx)
{
    add_hook(p, WORK_CONNECT, nsp, NULL, f, ctx);
}

void peal_on_disconnect(struct peal *p, const char *nsp, peal_handler f, void *ctx)
{
    add_hook(p, WORK_DISCONNECT, nsp, NULL, f, ctx);
}

void peal_set_user_data(struct peal *p, void *user_data)
{
    p->user_data = user_data;
}

void *peal_user_data(const struct peal *p)
{
    return p->user_data;
}

void peal_log(const struct peal *p, enum peal_level level, const char *text)
{
    static const enum log_level levels[] = {LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR};
    struct log_line l;
    log_begin(&l, levels[(unsigned)level <= PEAL_ERROR ? level : PEAL_ERROR], text);
    log_kv_c(&l, "module", p->module->name);
    log_end(&l);
}

/* ---- the core's handler */

static const struct wk_module_hook *hook_of(const struct peal *p, const struct work_item *item)
{
    for (size_t i = 0; i < p->nhooks; i++) {
        const struct wk_module_hook *h = &p->hooks[i];
        if (h->type == item->type && sv_glob(sv_of(h->nsp), item->nsp) &&
            (!h->event || sv_glob(sv_of(h->event), item->event)))
            return h;
    }
    return NULL;
}

static bool takes(void *ctx, const struct work_item *item)
{
    return hook_of(ctx, item) != NULL;
}

/* The event goes with its job. */
static void end(struct peal_event *e, enum peal_result result, const char *why)
{
    struct wk_job *job = e->job;
    e->has_ended = true;
    if (result == PEAL_OK)
        wk_job_done(job);
    else
        wk_job_fail(job, result == PEAL_RETRY ? WK_RETRY : WK_FATAL,
                    sv_of(why && why[0] ? why : "the handler has failed"));
    if (!e->runs) wk_module_event_free(e);
}

static void handle(void *ctx, struct wk_job *job)
{
    struct peal *p = ctx;
    const struct wk_module_hook *h = hook_of(p, wk_job_item(job));
    struct peal_event *e = wk_module_event_new(p, job);
    wk_job_set_ctx(job, e);
    e->runs = true;
    enum peal_result result = h->f(h->ctx, e);
    e->runs = false;
    if (e->has_ended)
        wk_module_event_free(e);
    else if (!e->is_held)
        end(e, result, e->why);
}

static void abandon(void *ctx, struct wk_job *job)
{
    (void)ctx;
    ((struct peal_event *)wk_job_ctx(job))->is_void = true;
}

static void module_free(void *ctx)
{
    struct peal *p = ctx;
    if (p->module && p->module->stop) p->module->stop(p);
    wk_module_now_end(p);
    while (p->events)
        wk_module_event_free(p->events);
    for (size_t i = 0; i < p->nhooks; i++) {
        x_free(p->hooks[i].nsp);
        x_free(p->hooks[i].event);
    }
    x_free(p->hooks);
    x_free(p);
}

/* ---- held events */

void peal_hold(struct peal_event *e)
{
    e->is_held = true;
}

bool peal_is_void(const struct peal_event *e)
{
    return e->is_void;
}

void peal_done(struct peal_event *e)
{
    assert(e->is_held && !e->has_ended);
    end(e, PEAL_OK, NULL);
}

void peal_fail(struct peal_event *e, enum peal_result how, const char *why)
{
    assert(!e->has_ended);
    if (e->is_held) {
        end(e, how == PEAL_RETRY ? PEAL_RETRY : PEAL_FAIL, why);
        return;
    }
    x_free(e->why);
    e->why = x_strdup(why ? why : "");
}

/* ---- loading */

static bool refuse(struct cfg_error *err, struct str_view path, const char *why)
{
    snprintf(err->text, sizeof(err->text), "worker.modules: \"%.*s\" cannot be used: %s",
             SV_ARG(path), why ? why : "unknown error");
    return false;
}

static bool start(struct wk_core *core, struct str_view path, void *library, const char *argument,
                  struct cfg_error *err)
{
    const struct peal_module *m = dlsym(library, "peal_module");
    char why[128];
    if (!m) return refuse(err, path, "it is no handler module (it defines no peal_module)");
    if (m->abi != PEAL_ABI) {
        snprintf(why, sizeof(why), "its ABI is %u, this program's is %u: compile it anew", m->abi,
                 PEAL_ABI);
        return refuse(err, path, why);
    }
    if (!m->name || !m->name[0] || !m->start)
        return refuse(err, path, "its peal_module has no name or no start function");
    struct peal *p = x_calloc(1, sizeof(*p));
    *p = (struct peal){.core = core, .library = library, .module = m, .starts = true};
    const char *trouble = m->start(p, argument);
    p->starts = false;
    if (trouble) {
        bool said = refuse(err, path, trouble);
        p->module = NULL; /* what did not start is not stopped */
        module_free(p);
        return said;
    }
    struct wk_handler handler = {
        .ctx = p, .takes = takes, .handle = handle, .abandon = abandon, .free = module_free};
    wk_core_add_handler(core, &handler);
    struct log_line l;
    log_begin(&l, LOG_INFO, "module loaded");
    log_kv_c(&l, "module", m->name);
    log_kv(&l, "path", path);
    log_kv_u64(&l, "handlers", p->nhooks);
    log_end(&l);
    return true;
}

/* dlopen() looks for a name without a slash where the system's libraries are. A file beside the
 * configuration is what is meant. */
static void *open_library(struct str_view path)
{
    bool is_bare = sv_find(path, '/') == path.n;
    char *name = x_asprintf("%s%.*s", is_bare ? "./" : "", SV_ARG(path));
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    x_free(name);
    return library;
}

bool wk_module_load_all(struct wk_core *core, const struct cfg *cfg, struct cfg_error *err)
{
    for (size_t i = 0; i < cfg->worker_modules.n; i++) {
        struct str_view word = sv_of(cfg->worker_modules.v[i]);
        size_t equals = sv_find(word, '=');
        struct str_view path = sv_make(word.p, equals);
        const char *argument = equals < word.n ? word.p + equals + 1 : "";
        void *library = open_library(path);
        if (!library) return refuse(err, path, dlerror());
        if (!start(core, path, library, argument, err)) return false;
    }
    return true;
}
