//! The frame around every page: navigation, what is live, who is signed in.

use leptos::task::spawn_local;
use leptos::{ev, html, prelude::*};
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;

use crate::api;
use crate::charts::Crosshair;
use crate::components::dropdown::{Close, Dropdown};
use crate::components::palette::{Palette, PaletteState};
use crate::components::theme_switch::ThemeSwitch;
use crate::format::ago;
use crate::icons::{Icon, IconName};
use crate::live::{Link, use_live};
use crate::state::clock::use_clock;
use crate::state::range::{RangeState, use_range};
use crate::state::session::{Access, use_session};
use crate::views::CollectViews;

/// A page of the navigation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) icon: IconName,
    testid: &'static str,
    /// Whether the bar of a phone shows it; the others are under "More".
    is_first: bool,
}

/// All pages of the navigation, in its order.
pub(crate) const PAGES: [Page; 9] = [
    Page {
        name: "Overview",
        path: "/",
        icon: IconName::Overview,
        testid: "nav-overview",
        is_first: true,
    },
    Page {
        name: "Services",
        path: "/services",
        icon: IconName::Services,
        testid: "nav-services",
        is_first: false,
    },
    Page {
        name: "Hosts",
        path: "/hosts",
        icon: IconName::Hosts,
        testid: "nav-hosts",
        is_first: false,
    },
    Page {
        name: "Alerts",
        path: "/alerts",
        icon: IconName::Alerts,
        testid: "nav-alerts",
        is_first: true,
    },
    Page {
        name: "Uptime",
        path: "/uptime",
        icon: IconName::Uptime,
        testid: "nav-uptime",
        is_first: true,
    },
    Page {
        name: "Events",
        path: "/events",
        icon: IconName::Events,
        testid: "nav-events",
        is_first: false,
    },
    Page {
        name: "Explore",
        path: "/explore",
        icon: IconName::Explore,
        testid: "nav-explore",
        is_first: true,
    },
    Page {
        name: "Runbooks",
        path: "/runbooks",
        icon: IconName::Runbooks,
        testid: "nav-runbooks",
        is_first: false,
    },
    Page {
        name: "Settings",
        path: "/settings",
        icon: IconName::Settings,
        testid: "nav-settings",
        is_first: false,
    },
];

/// The frame; only for those who are signed in, and only inside of the router.
#[component]
pub(crate) fn Shell(children: Children) -> impl IntoView {
    let live = use_live();
    live.open();
    on_cleanup(move || live.close());
    RangeState::provide();
    Crosshair::provide();
    let palette = PaletteState::provide();
    let main = NodeRef::<html::Main>::new();
    focus_main_after_navigation(main);
    let slash = window_event_listener(ev::keydown, focus_search);
    on_cleanup(move || slash.remove());
    view! {
        <a class="skip" href="#main">"Skip to content"</a>
        <div class="shell">
            <nav class="side" aria-label="Main">
                <div class="brand"><BrandMark/>"Bellwether"</div>
                <button type="button" class="palette-button" on:click=move |_| palette.open() data-testid="open-palette">
                    <Icon name=IconName::Search/>
                    <span>"Go to…"</span>
                    <kbd aria-hidden="true">"Ctrl K"</kbd>
                </button>
                <ul class="nav">
                    {PAGES.iter().map(|page| view! { <li class:is-first=page.is_first><NavLink page/></li> }).collect_views()}
                    <li class="nav-more"><More/></li>
                </ul>
                <span class="grow"></span>
                <LiveMark/>
                <div class="side-foot">
                    <UserMenu/>
                    <ThemeSwitch/>
                </div>
            </nav>
            <main id="main" tabindex="-1" node_ref=main>{children()}</main>
        </div>
        <Palette/>
    }
}

/// The product's sign.
#[component]
pub(crate) fn BrandMark() -> impl IntoView {
    view! { <span class="brand-mark" aria-hidden="true"><Icon name=IconName::Bell/></span> }
}

#[component]
fn NavLink(page: &'static Page) -> impl IntoView {
    let path = use_location().pathname;
    let range = use_range();
    let is_here = move || {
        path.with(|path| {
            if page.path == "/" {
                path == "/"
            } else {
                path == page.path || path.starts_with(&format!("{}/", page.path))
            }
        })
    };
    let firing = use_live();
    let count = move || firing.firing().filter(|count| *count > 0 && page.path == "/alerts");
    view! {
        <a
            class="nav-link"
            href=move || range.link(page.path)
            aria-current=move || is_here().then_some("page")
            data-testid=page.testid
        >
            <Icon name=page.icon/>
            <span>{page.name}</span>
            {move || count().map(|count| view! {
                <span class="nav-count num" title="Alerts that fire">
                    {count} <span class="sr">" firing"</span>
                </span>
            })}
        </a>
    }
}

/// What the bar of a phone has no room for.
#[component]
fn More() -> impl IntoView {
    view! {
        <Dropdown
            label="More"
            class="is-up is-right"
            summary=Box::new(|| view! { <Icon name=IconName::More/><span>"More"</span> }.into_any())
        >
            <MoreItems/>
        </Dropdown>
    }
}

#[component]
fn MoreItems() -> impl IntoView {
    let close: Close = expect_context();
    let range = use_range();
    let links = PAGES
        .iter()
        .filter(|page| !page.is_first)
        .map(|page| {
            view! {
                <li>
                    <a class="menu-item" href=move || range.link(page.path) on:click=move |_| close.now()>
                        <Icon name=page.icon/>
                        {page.name}
                    </a>
                </li>
            }
        })
        .collect_views();
    view! {
        <ul class="menu">{links}</ul>
        <ThemeSwitch/>
        <SignOut/>
    }
}

/// Whether the page is live, and how old it is.
#[component]
fn LiveMark() -> impl IntoView {
    let live = use_live();
    let clock = use_clock();
    let class = move || match live.link() {
        Link::Open => "live is-open",
        Link::Connecting => "live",
        Link::Lost => "live is-lost",
    };
    let word = move || match live.link() {
        Link::Open => "Live",
        Link::Connecting => "Connecting",
        Link::Lost => "Reconnecting",
    };
    let age = move || live.tick_ms().map(|at| ago(clock.now_ms() - at));
    view! {
        <div class=class data-testid="live">
            <span class="live-dot" aria-hidden="true"></span>
            <span role="status">{word}</span>
            <span class="live-age num">{age}</span>
        </div>
    }
}

#[component]
fn UserMenu() -> impl IntoView {
    let session = use_session();
    let name = move || match session.access() {
        Access::Known(session) => session.user.map(|user| user.name).unwrap_or_default(),
        _ => String::new(),
    };
    view! {
        <Dropdown
            label="Account"
            class="is-up user"
            testid="user-menu"
            summary=Box::new(move || {
                view! {
                    <span class="user-name">{name}</span>
                    <Icon name=IconName::ChevronUp/>
                }
                .into_any()
            })
        >
            <SignOut/>
        </Dropdown>
    }
}

#[component]
fn SignOut() -> impl IntoView {
    let session = use_session();
    let failure = RwSignal::new(String::new());
    let sign_out = move |_| {
        spawn_local(async move {
            match api::delete("/api/app/session").await {
                Ok(()) => session.refresh(),
                Err(error) => {
                    failure.try_set(error.message);
                }
            }
        });
    };
    view! {
        <button type="button" class="menu-item" on:click=sign_out data-testid="sign-out">
            <Icon name=IconName::SignOut/>
            "Sign out"
        </button>
        <p class="form-error" role="alert">{move || failure.get()}</p>
    }
}

/// Keyboard and screen reader start at the content of a new page.
fn focus_main_after_navigation(main: NodeRef<html::Main>) {
    let path = use_location().pathname;
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now)
            && let Some(main) = main.get_untracked()
        {
            // An element that is shown takes the focus.
            drop(main.focus());
        }
        now
    });
}

/// `/` leads to the search field of the page, or else to the palette.
fn focus_search(event: ev::KeyboardEvent) {
    let is_typing = document().active_element().is_some_and(|element| {
        ["INPUT", "TEXTAREA", "SELECT"].contains(&element.tag_name().as_str())
    });
    if event.key() != "/" || is_typing || event.ctrl_key() || event.meta_key() || event.alt_key() {
        return;
    }
    // The last one is the most specific: on Explore the list below the query.
    let fields = document().query_selector_all("[data-search]").ok();
    let field = fields.and_then(|fields| fields.item(fields.length().checked_sub(1)?));
    if let Some(field) = field.and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok()) {
        event.prevent_default();
        // An element that is shown takes the focus.
        drop(field.focus());
    }
}
