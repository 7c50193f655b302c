//! What a ledger promises.

use super::{Check, LedgerHome, checks};
use script::Script;

mod commits;
mod pages;
mod records;
mod script;
mod threads;

use commits::*;
use pages::*;
use records::*;
use threads::*;

/// All promises.
pub const CHECKS: &[(&str, Check<dyn LedgerHome>)] = checks![
    nothing_is_loaded_before_it_is_written,
    what_is_written_is_loaded,
    every_kind_and_id_is_its_own_record,
    a_revision_follows_from_the_content,
    what_is_removed_is_gone,
    records_survive_a_restart,
    a_page_is_in_the_order_of_ids,
    a_page_is_within_a_prefix,
    a_page_has_one_kind,
    pages_give_every_record_once,
    a_page_goes_on_behind_an_id_that_is_gone,
    a_page_sees_what_load_sees,
    rows_of_an_instrument_are_paged_by_time,
    a_commit_is_whole,
    a_commit_that_does_nothing_counts,
    a_source_commits_once,
    a_source_is_looked_at_before_conditions,
    a_source_is_remembered_after_a_restart,
    a_condition_holds_or_nothing_happens,
    the_first_condition_that_does_not_hold_is_named,
    a_condition_can_be_that_there_is_nothing,
    a_record_that_changed_back_is_the_same,
    messages_are_in_order_within_their_group,
    messages_of_a_commit_that_did_not_happen_are_not_sent,
    messages_survive_a_restart,
    threads_that_count_lose_nothing,
    threads_with_one_source_commit_once,
    threads_that_create_one_record_create_it_once,
];

type Make<'a> = &'a dyn Fn() -> Box<dyn LedgerHome>;
