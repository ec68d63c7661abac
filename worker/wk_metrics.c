/* Worker */
#include "wk_metrics.h"
#include "wk_http.h"

static void write_feed(struct prom_text *p, const struct wk_feed_stats *s)
{
    prom_text_one_counter(p, "peal_worker_items_total", "Items taken from streams.", s->items);
    prom_text_one_counter(p, "peal_worker_suspects_total",
                          "Of those, items that a worker may have died of.", s->suspects);
    prom_text_one_counter(p, "peal_worker_finished_total", "Items finished, with their effects.",
                          s->finished);
    prom_text_one_counter(p, "peal_worker_dead_letters_total",
                          "Items that went to the dead letters.", s->buried);
    prom_text_one_counter(p, "peal_worker_fenced_total",
                          "Results dropped because the lease was another's.", s->fenced);
    prom_text_one_counter(p, "peal_worker_bad_entries_total", "Stream entries that are no items.",
                          s->bad);
    prom_text_one_counter(p, "peal_worker_unsendable_total",
                          "Effects left out: larger than bus.max_message, or a name is too long.",
                          s->unsendable);
    prom_text_one_counter(p, "peal_worker_repeats_total",
                          "Items dropped because they came a second time.", s->repeats);
    prom_text_one_counter(p, "peal_worker_leases_taken_total", "Leases taken.", s->leases);
    prom_text_one_counter(p, "peal_worker_leases_lost_total", "Leases lost.", s->lost);
    prom_text_one_counter(p, "peal_worker_leases_given_total", "Leases given back.", s->given);
    prom_text_one_gauge(p, "peal_worker_partitions", "Partitions this worker has now.",
                        s->partitions);
    prom_text_one_gauge(p, "peal_worker_in_hand",
                        "Items in hand, until Redis has confirmed their end.", s->in_hand);
    prom_text_one_gauge(p, "peal_worker_backlog",
                        "Items in the streams of its partitions, as last seen.", s->backlog);
}

static void write_core(struct prom_text *p, const struct wk_core_stats *s)
{
    prom_text_one_counter(p, "peal_worker_failures_total", "Attempts of handlers that failed.",
                          s->failures);
    prom_text_one_counter(p, "peal_worker_retries_total", "Attempts behind the first.", s->retries);
    prom_text_one_counter(p, "peal_worker_unhandled_total", "Items that no handler takes.",
                          s->unhandled);
    prom_text_one_counter(p, "peal_worker_abandoned_total",
                          "Jobs dropped because their partition went to another worker.",
                          s->dropped);
    prom_text_one_counter(p, "peal_worker_syncs_total", "Waits for a gateway to hear a room.",
                          s->syncs);
    prom_text_one_counter(p, "peal_worker_syncs_late_total", "Of those, waits that were given up.",
                          s->syncs_late);
    prom_text_one_gauge(p, "peal_worker_running", "Jobs in the hands of handlers.", s->running);
    prom_text_one_gauge(p, "peal_worker_sockets", "Sockets with items in hand.", s->sockets);
}

void wk_metrics_write(struct prom_text *p, const struct wk_core *core, const struct wk_http *http)
{
    write_feed(p, wk_core_feed_stats(core));
    write_core(p, wk_core_stats(core));
    if (http) wk_http_write_metrics(http, p);
}
