//! What both pages that ask for a decision share: who asks for what, the fields, the buttons.

use super::Page;
use super::problem::{Field, Problem, is_wrong};
use crate::encode::form::Form;
use crate::oauth::audience::Audience;
use crate::oauth::{Client, Scope, userinfo};

impl Page {
    /// Adds which client asks, for which resource, and for which scopes.
    pub(super) fn who(&mut self, client: &Client, audience: Audience, scope: &Scope) -> &mut Page {
        self.html("<h1>Allow <strong>").text(client.label()).html("</strong> access?</h1>\n");
        self.html("<p>It asks to act in your name").place(audience);
        if scope.is_empty() {
            return self.html(".</p>\n");
        }
        self.html(", for:</p>\n<ul>\n");
        for token in scope.tokens() {
            self.html("<li>").text(token).html("</li>\n");
        }
        self.html("</ul>\n").profile(scope)
    }

    /// Adds the resource, by its name and its URL.
    fn place(&mut self, audience: Audience) -> &mut Page {
        let Some(resource) = audience else { return self };
        self.html(" at <strong>").text(resource.label()).html("</strong>");
        match &resource.name {
            Some(_) => self.html(" (").text(&resource.url).html(")"),
            None => self,
        }
    }

    /// Adds what the application will read about the user, in words.
    fn profile(&mut self, scope: &Scope) -> &mut Page {
        let parts: Vec<&str> = userinfo::in_words(scope).collect();
        match parts.is_empty() {
            true => self,
            false => self.html("<p>It will read: ").text(&parts.join(", ")).html(".</p>\n"),
        }
    }

    /// Adds a parameter that the form carries.
    pub(super) fn hidden(&mut self, name: &'static str, value: &str) -> &mut Page {
        self.html("<input type=\"hidden\" name=\"").html(name).html("\" value=\"");
        self.text(value).html("\">\n")
    }

    /// Adds the fields for name and password. The name stays as it was entered, and the focus is on
    /// the field to be filled in next.
    pub(super) fn sign_in_fields(&mut self, form: &Form, problem: Option<&Problem>) -> &mut Page {
        let name = form.get("username").unwrap_or("");
        self.html("<label for=\"username\">User name</label>\n<input id=\"username\" ")
            .html("name=\"username\" value=\"")
            .text(name)
            .html("\" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" ")
            .html("required")
            .html(focus(name.is_empty()))
            .html(">\n<label for=\"password\">Password</label>\n<input id=\"password\" ")
            .html("name=\"password\" type=\"password\" autocomplete=\"current-password\" required")
            .html(invalid(is_wrong(problem, Field::Password)))
            .html(focus(!name.is_empty()))
            .html(">\n")
    }

    /// Adds the two buttons. Allow comes first, so that Enter presses it; Deny needs no field.
    pub(super) fn decision_buttons(&mut self) -> &mut Page {
        self.html(
            "<div class=\"buttons\">\n\
             <button name=\"decision\" value=\"allow\">Allow</button>\n\
             <button name=\"decision\" value=\"deny\" class=\"quiet\" formnovalidate>Deny</button>\n\
             </div>\n",
        )
    }
}

/// Tells screen readers that this field is wrong, and where the reason is.
pub fn invalid(wrong: bool) -> &'static str {
    match wrong {
        true => " aria-invalid=\"true\" aria-describedby=\"problem\"",
        false => "",
    }
}

fn focus(here: bool) -> &'static str {
    if here { " autofocus" } else { "" }
}
