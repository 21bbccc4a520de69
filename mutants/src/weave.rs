//! All changes of one source file in one text, each behind a question that is answered when it runs.
//!
//! An operator is changed in the whole chain of operators that it stands in, so that what binds stronger is as it would be in
//! the changed text. What is no expression that runs, a constant or the type of an array, stays as it is, and so does the body
//! of a function that is constant or has an opaque type.

use crate::change::Change;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

#[derive(Debug)]
enum Kind {
    /// A guard of an arm: the ids that take the arm away, make it true, make it false.
    Guard([Option<usize>; 3]),
    /// A guard that binds: it can be taken away or made false, but not true.
    Binding([Option<usize>; 2]),
    /// An arm without a guard that is taken away.
    Arm(usize),
    /// At the beginning of a function.
    Body(Vec<(usize, String)>),
    /// An expression, and what it is with each change.
    Choice(Vec<(usize, String)>),
}

#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    kind: Kind,
}

/// The text with all changes of the file woven in, and the ids that are.
pub fn weave(source: &str, changes: &[&Change]) -> syn::Result<(String, Vec<usize>)> {
    let file = syn::parse_file(source)?;
    let mut at: Places<'_> = HashMap::new();
    for change in changes {
        let range = change.range(source);
        at.entry((change.genre.as_str(), range.start))
            .or_default()
            .push((change, range));
    }
    let mut weaver = Weaver {
        source,
        at,
        edits: Vec::new(),
    };
    weaver.visit_file(&file);
    let mut edits = weaver.edits;
    edits.sort_by_key(|edit| {
        let order = match edit.kind {
            Kind::Guard(_) | Kind::Binding(_) => 0,
            _ => 1,
        };
        (edit.range.start, std::cmp::Reverse(edit.range.end), order)
    });
    let mut woven = Vec::new();
    for edit in &edits {
        match &edit.kind {
            Kind::Guard(ids) => woven.extend(ids.iter().flatten()),
            Kind::Binding(ids) => woven.extend(ids.iter().flatten()),
            Kind::Arm(id) => woven.push(*id),
            Kind::Body(list) | Kind::Choice(list) => woven.extend(list.iter().map(|(id, _)| *id)),
        }
    }
    Ok((render(source, 0..source.len(), &edits), woven))
}

fn render(source: &str, range: Range<usize>, edits: &[Edit]) -> String {
    let (mut out, mut done, mut at) = (String::new(), range.start, 0);
    while let Some(edit) = edits.get(at) {
        let inner = &edits[at + 1..];
        let count = inner
            .iter()
            .take_while(|inner| inner.range.start < edit.range.end)
            .count();
        out.push_str(&source[done..edit.range.start]);
        let text = render(source, edit.range.clone(), &inner[..count]);
        wrap(&mut out, &edit.kind, &text);
        done = edit.range.end;
        at += 1 + count;
    }
    out.push_str(&source[done..range.end]);
    out
}

fn on(id: usize) -> String {
    format!("crate::switches::on({id})")
}

fn wrap(out: &mut String, kind: &Kind, text: &str) {
    match kind {
        Kind::Guard([gone, yes, no]) => {
            if let Some(id) = gone {
                out.push_str(&format!("/*<{id}*/!{}/*>{id}*/ && ", on(*id)));
            }
            out.push('(');
            if let Some(id) = yes {
                out.push_str(&format!("{} || ", on(*id)));
            }
            if let Some(id) = no {
                out.push_str(&format!("!{} && ", on(*id)));
            }
            out.push_str(&format!("({text}))"));
        }
        Kind::Binding(ids) => {
            for id in ids.iter().flatten() {
                out.push_str(&format!("/*<{id}*/!{}/*>{id}*/ && ", on(*id)));
            }
            out.push_str(text);
        }
        Kind::Arm(id) => out.push_str(&format!(" if /*<{id}*/!{}/*>{id}*/", on(*id))),
        Kind::Body(list) => {
            for (id, text) in list {
                out.push_str(&format!(
                    " if {} {{ return /*<{id}*/{text}/*>{id}*/; }}",
                    on(*id)
                ));
            }
        }
        Kind::Choice(list) => {
            out.push('(');
            for (id, text) in list {
                out.push_str(&format!(
                    "if {} {{ /*<{id}*/{text}/*>{id}*/ }} else ",
                    on(*id)
                ));
            }
            out.push_str(&format!("{{ {text} }})"));
        }
    }
}

/// Changes by their genre and where they begin.
type Places<'a> = HashMap<(&'a str, usize), Vec<(&'a Change, Range<usize>)>>;

struct Weaver<'a> {
    source: &'a str,
    at: Places<'a>,
    edits: Vec<Edit>,
}

impl Weaver<'_> {
    fn of(&self, genre: &'static str, start: usize) -> Vec<(Change, Range<usize>)> {
        self.at
            .get(&(genre, start))
            .into_iter()
            .flatten()
            .map(|(c, r)| ((*c).clone(), r.clone()))
            .collect()
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if signature.constness.is_some() {
            return;
        }
        let opaque = self.source[signature.output.span().byte_range()].contains("impl ");
        let (open, close) = (
            block.brace_token.span.open().byte_range(),
            block.brace_token.span.close().byte_range(),
        );
        if !opaque {
            let inside = open.end..close.start;
            let mut list: BTreeMap<usize, String> = BTreeMap::new();
            for ((genre, start), changes) in &self.at {
                if *genre != "FnValue" || !inside.contains(start) {
                    continue;
                }
                for (change, _) in changes {
                    // A function within a function: the inner one's own.
                    if self.belongs(block, *start) {
                        list.insert(change.id, change.text.clone());
                    }
                }
            }
            if !list.is_empty() {
                self.edits.push(Edit {
                    range: open.end..open.end,
                    kind: Kind::Body(list.into_iter().collect()),
                });
            }
        }
        visit::visit_block(self, block);
    }

    /// Whether what begins at `start` is the whole body of this block.
    fn belongs(&self, block: &syn::Block, start: usize) -> bool {
        let open = block.brace_token.span.open().byte_range().end;
        let between = &self.source[open..start];
        // Only white space and comments before it.
        between.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with("//") || line.starts_with("#[")
        })
    }

    fn chain(&mut self, expr: &syn::Expr) {
        let (mut ops, mut leaves) = (Vec::new(), Vec::new());
        collect(expr, &mut ops, &mut leaves);
        if leaves.iter().any(|leaf| matches!(leaf, syn::Expr::Let(_))) {
            return self.chain_of_lets(expr);
        }
        let whole = expr.span().byte_range();
        let mut list = Vec::new();
        for (genre, op) in ops {
            for (change, range) in self.of(genre, op.start) {
                let text = format!(
                    "{}{}{}",
                    &self.source[whole.start..range.start],
                    change.text,
                    &self.source[range.end..whole.end]
                );
                list.push((change.id, text));
            }
        }
        if !list.is_empty() {
            self.edits.push(Edit {
                range: whole,
                kind: Kind::Choice(list),
            });
        }
        for leaf in leaves {
            self.visit_expr(leaf);
        }
    }

    fn chain_of_lets(&mut self, expr: &syn::Expr) {
        match expr {
            syn::Expr::Binary(binary) if matches!(binary.op, syn::BinOp::And(_)) => {
                self.chain_of_lets(&binary.left);
                self.chain_of_lets(&binary.right);
            }
            other => self.visit_expr(other),
        }
    }
}

/// Whether a condition has a `let` in its chain.
fn binds(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

fn collect<'e>(
    expr: &'e syn::Expr,
    ops: &mut Vec<(&'static str, Range<usize>)>,
    leaves: &mut Vec<&'e syn::Expr>,
) {
    match expr {
        syn::Expr::Binary(binary) => {
            ops.push(("BinaryOperator", binary.op.span().byte_range()));
            collect(&binary.left, ops, leaves);
            collect(&binary.right, ops, leaves);
        }
        syn::Expr::Unary(unary) if !matches!(unary.op, syn::UnOp::Deref(_)) => {
            ops.push(("UnaryOperator", unary.op.span().byte_range()));
            collect(&unary.expr, ops, leaves);
        }
        other => leaves.push(other),
    }
}

impl<'ast> Visit<'ast> for Weaver<'_> {
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'ast syn::TraitItemConst) {}
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}
    fn visit_expr_const(&mut self, _: &'ast syn::ExprConst) {}
    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.sig, &item.block);
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.sig, &item.block);
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
    }

    fn visit_expr(&mut self, expr: &'ast syn::Expr) {
        match expr {
            syn::Expr::Binary(_) => self.chain(expr),
            syn::Expr::Unary(unary) if !matches!(unary.op, syn::UnOp::Deref(_)) => self.chain(expr),
            _ => visit::visit_expr(self, expr),
        }
    }

    fn visit_expr_struct(&mut self, item: &'ast syn::ExprStruct) {
        let whole = item.span().byte_range();
        let mut list = Vec::new();
        for field in &item.fields {
            for (change, range) in self.of("StructField", field.span().byte_range().start) {
                list.push((
                    change.id,
                    format!(
                        "{}{}",
                        &self.source[whole.start..range.start],
                        &self.source[range.end..whole.end]
                    ),
                ));
            }
        }
        if !list.is_empty() {
            self.edits.push(Edit {
                range: whole,
                kind: Kind::Choice(list),
            });
        }
        visit::visit_expr_struct(self, item);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let gone = self
            .of("MatchArm", arm.span().byte_range().start)
            .first()
            .map(|(change, _)| change.id);
        match (&arm.guard, gone) {
            (Some((_, guard)), gone) => {
                let range = guard.span().byte_range();
                let found = self.of("MatchArmGuard", range.start);
                let which = |text: &str| {
                    found
                        .iter()
                        .find(|(change, _)| change.text == text)
                        .map(|(change, _)| change.id)
                };
                let (yes, no) = (which("true"), which("false"));
                let kind = match binds(guard) {
                    true => Kind::Binding([gone, no]),
                    false => Kind::Guard([gone, yes, no]),
                };
                if !matches!(
                    kind,
                    Kind::Guard([None, None, None]) | Kind::Binding([None, None])
                ) {
                    self.edits.push(Edit { range, kind });
                }
            }
            (None, Some(id)) => {
                let end = arm.pat.span().byte_range().end;
                self.edits.push(Edit {
                    range: end..end,
                    kind: Kind::Arm(id),
                });
            }
            (None, None) => {}
        }
        visit::visit_arm(self, arm);
    }
}
