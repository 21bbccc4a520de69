//! The fixed words of the console, in Korean and English.

use crate::core::{ChannelKind, Fate, Language, Purpose, Status};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

macro_rules! labels {
    ($($name:ident: $en:literal, $ko:literal;)+) => {
        /// The words in one language.
        pub(super) struct Labels {
            pub(super) language: Language,
            $(pub(super) $name: &'static str,)+
        }
        static EN: Labels = Labels { language: Language::En, $($name: $en,)+ };
        static KO: Labels = Labels { language: Language::Ko, $($name: $ko,)+ };
    };
}

labels! {
    incidents: "Incidents", "인시던트";
    inbox: "Inbox", "받은 메시지";
    skip: "Skip to content", "본문으로 이동";
    connecting: "Connecting", "연결 중";
    live: "Live", "실시간";
    lost: "Connection lost", "연결 끊김";
    open_incidents: "Open incidents", "열린 인시던트";
    unacknowledged: "not acknowledged", "미확인";
    closed_lately: "Closed lately", "최근 종료";
    calm_title: "All quiet", "이상 없음";
    calm_text: "No incident is open. What fires next appears here by itself.",
        "열린 인시던트가 없습니다. 새로 발생하면 이 화면에 바로 나타납니다.";
    warnings: "To be mended before it is needed", "미리 바로잡을 것";
    more: "There are more than are shown here. The API lists them all.",
        "더 있습니다. 전체 목록은 API로 볼 수 있습니다.";
    acknowledge: "Acknowledge", "확인";
    close: "Close", "종료";
    close_until: "Close until resolved", "복구될 때까지 종료";
    threshold: "threshold", "기준";
    age: "since it fired", "경과";
    to_acknowledge: "left to acknowledge", "남은 확인 시간";
    overdue: "overdue", "초과";
    ack_holds: "acknowledgement holds", "확인 유지";
    nothing_due: "no further step", "다음 단계 없음";
    itself: "itself", "자동";
    nobody_told: "nobody was told", "알림 없음";
    further: "more", "건 더";
    tenant: "Tenant", "테넌트";
    host: "Host", "호스트";
    value: "Value", "현재값";
    fired: "Fired", "발생";
    template: "Template", "템플릿";
    state: "State", "상태";
    timeline: "Timeline", "타임라인";
    deliveries: "Deliveries", "알림 내역";
    attempts: "attempts", "회 시도";
    possible_repeat: "possible repeat", "중복일 수 있음";
    runbook: "Runbook", "런북";
    all_incidents: "All incidents", "전체 인시던트";
    not_firing: "no longer firing", "조건 해소됨";
    still_firing: "still firing", "조건 지속 중";
    room: "Chat room", "대화방";
    inbox_note: "No provider is configured for these channels: nothing left this machine.",
        "이 채널에는 연동된 서비스가 없습니다. 메시지는 외부로 나가지 않았습니다.";
    inbox_empty: "No message so far", "아직 메시지가 없습니다";
    inbox_empty_text: "What Bongsu would send to a chat room or a phone appears here.",
        "대화방이나 휴대전화로 보낼 메시지가 여기에 나타납니다.";
    values_now: "Values are as of now.", "값은 현재 기준입니다.";
    app: "APP", "앱";
    sign_in: "Sign in", "로그인";
    sign_in_text: "The console asks for the API token of this notifier.",
        "콘솔을 보려면 이 notifier의 API 토큰이 필요합니다.";
    token: "API token", "API 토큰";
    wrong_token: "This token is not the one.", "토큰이 맞지 않습니다.";
    sign_in_provider: "Sign in with your organization", "조직 계정으로 로그인";
    not_signed_in: "You are not signed in", "로그인하지 못했습니다";
    not_signed_in_text: "The sign-in could not be finished:", "로그인을 마치지 못했습니다:";
    sign_out: "Sign out", "로그아웃";
    link_as: "You acknowledge as", "확인자:";
    link_done: "Acknowledged", "확인되었습니다";
    link_closed: "This incident is closed.", "이미 종료된 인시던트입니다.";
    link_unknown: "This link is not valid any more",
        "더 이상 유효하지 않은 링크입니다";
    link_unknown_text: "It ran out, or it was not copied whole. Open the newest message.",
        "만료되었거나 주소가 잘렸습니다. 가장 최근 메시지를 열어 주세요.";
    not_found: "There is no such incident", "없는 인시던트입니다";
    not_found_text: "It may have been removed, or the address is not right.",
        "삭제되었거나 주소가 올바르지 않습니다.";
    failed: "That did not work", "처리하지 못했습니다";
    refused: "This request was refused", "거부된 요청입니다";
    refused_text: "It did not come from this console, or the page was too old. Load it again.",
        "이 콘솔에서 보낸 요청이 아니거나 오래된 화면입니다. 새로고침해 주세요.";
    back: "Back", "돌아가기";
}

impl Labels {
    /// The words of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &EN,
            Language::Ko => &KO,
        }
    }

    /// The words of the language that the browser would rather have.
    pub(super) fn wanted(headers: &HeaderMap) -> &'static Self {
        let wanted = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok());
        Self::of(preferred(wanted.unwrap_or_default()))
    }

    /// The state of an incident.
    pub(super) fn status(&self, status: Status) -> &'static str {
        match (self.language, status) {
            (Language::En, Status::Open) => "open",
            (Language::En, Status::Acknowledged) => "acknowledged",
            (Language::En, Status::Closed) => "closed",
            (Language::Ko, Status::Open) => "열림",
            (Language::Ko, Status::Acknowledged) => "확인됨",
            (Language::Ko, Status::Closed) => "종료",
        }
    }

    /// What became of a delivery.
    pub(super) fn fate(&self, fate: Fate) -> &'static str {
        let (en, ko) = match fate {
            Fate::Queued => ("queued", "대기"),
            Fate::Sending => ("sending", "발송 중"),
            Fate::Accepted => ("accepted", "접수됨"),
            Fate::Delivered => ("delivered", "전달됨"),
            Fate::Read => ("read", "읽음"),
            Fate::Answered => ("answered", "응답함"),
            Fate::Failed => ("failed", "실패"),
            Fate::Unknown => ("unknown", "불명"),
        };
        self.pick(en, ko)
    }

    /// The way of a message.
    pub(super) fn channel(&self, channel: ChannelKind) -> &'static str {
        match channel {
            ChannelKind::Chat => self.pick("chat", "채팅"),
            ChannelKind::Sms => self.pick("SMS", "문자"),
            ChannelKind::Voice => self.pick("call", "전화"),
            ChannelKind::Email => self.pick("e-mail", "메일"),
            ChannelKind::Alimtalk => self.pick("Alimtalk", "알림톡"),
            ChannelKind::Webhook => self.pick("webhook", "웹훅"),
            ChannelKind::Teams => self.pick("Teams", "팀즈"),
            ChannelKind::Telegram => self.pick("Telegram", "텔레그램"),
            ChannelKind::Pagerduty => "PagerDuty",
            ChannelKind::Opsgenie => "Opsgenie",
        }
    }

    /// Why a message was sent.
    pub(super) fn purpose(&self, purpose: Purpose) -> &'static str {
        crate::core::render::Phrases::of(self.language).purpose(purpose)
    }

    fn pick(&self, en: &'static str, ko: &'static str) -> &'static str {
        match self.language {
            Language::En => en,
            Language::Ko => ko,
        }
    }

    /// How long ago, roughly: the page's script says it in the same way.
    pub(super) fn ago(&self, millis: i64) -> String {
        let seconds = millis.max(0) / 1_000;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match (self.language, minutes, hours) {
            (Language::En, 0, _) => format!("{seconds} s"),
            (Language::En, 1..60, _) => format!("{minutes} min"),
            (Language::En, _, 0..48) => format!("{hours} h {} min", minutes % 60),
            (Language::En, ..) => format!("{days} d {} h", hours % 24),
            (Language::Ko, 0, _) => format!("{seconds}초"),
            (Language::Ko, 1..60, _) => format!("{minutes}분"),
            (Language::Ko, _, 0..48) => format!("{hours}시간 {}분", minutes % 60),
            (Language::Ko, ..) => format!("{days}일 {}시간", hours % 24),
        }
    }
}

/// Time left as `4:05` or `1:04:05`; behind its end with a plus.
pub(super) fn countdown(millis: i64) -> String {
    let seconds = millis.abs() / 1_000;
    let sign = if millis < 0 { "+" } else { "" };
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{sign}{minutes}:{seconds:02}"),
        _ => format!("{sign}{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The better liked of Korean and English in an `Accept-Language`; English when it names neither.
fn preferred(accept: &str) -> Language {
    let weight = |wanted: &str| -> f32 {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.trim().split(';');
            let tag = parts.next()?.trim().to_ascii_lowercase();
            let named = tag == wanted || tag.starts_with(&format!("{wanted}-"));
            let q = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok());
            named.then(|| q.unwrap_or(1.0))
        });
        ranges.fold(0.0, f32::max)
    };
    if weight("ko") > weight("en") {
        Language::Ko
    } else {
        Language::En
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_favourite_of_the_two_languages_wins() {
        for (accept, language) in [
            ("", Language::En),
            ("ko-KR,ko;q=0.9,en-US;q=0.8", Language::Ko),
            ("en-US,en;q=0.9,ko;q=0.8", Language::En),
            ("de, ko;q=0.3", Language::Ko),
            ("fr", Language::En),
            ("kok", Language::En),
        ] {
            assert_eq!(preferred(accept), language, "{accept}");
        }
    }

    #[test]
    fn times_are_told_briefly() {
        for (seconds, en, ko) in [
            (-5, "0 s", "0초"),
            (59, "59 s", "59초"),
            (60, "1 min", "1분"),
            (3_599, "59 min", "59분"),
            (3_600, "1 h 0 min", "1시간 0분"),
            (172_800, "2 d 0 h", "2일 0시간"),
        ] {
            assert_eq!(EN.ago(seconds * 1_000), en);
            assert_eq!(KO.ago(seconds * 1_000), ko);
        }
        for (millis, text) in [
            (272_000, "4:32"),
            (3_845_000, "1:04:05"),
            (-80_000, "+1:20"),
        ] {
            assert_eq!(countdown(millis), text);
        }
    }
}
