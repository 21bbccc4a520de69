//! Headings of tables in Korean (`--lang ko`). Keys of the forms for scripts are never translated.

/// Each heading with its Korean word, in the order of the headings.
const HEADINGS: &[(&str, &str)] = &[
    ("accepted", "접수"),
    ("acknowledged", "확인"),
    ("action", "동작"),
    ("actor", "행위자"),
    ("advice", "조치"),
    ("at", "시각"),
    ("by", "누가"),
    ("by_status", "상태별"),
    ("bytes", "바이트"),
    ("bytes_per_s_limit", "초당 바이트 한도"),
    ("change", "변경"),
    ("channel", "채널"),
    ("check", "점검"),
    ("column", "열"),
    ("contact", "연락처"),
    ("contract", "계약"),
    ("covered", "가려짐"),
    ("dead_lettered", "데드 레터"),
    ("detail", "자세히"),
    ("ends", "끝"),
    ("epoch", "에포크"),
    ("epochs", "에포크"),
    ("escalation_policy", "에스컬레이션 정책"),
    ("event_id", "이벤트 ID"),
    ("every", "주기"),
    ("expected", "기대"),
    ("fate", "결과"),
    ("field", "필드"),
    ("file", "파일"),
    ("for", "대상"),
    ("form", "형식"),
    ("format", "형식"),
    ("from", "부터"),
    ("given", "입력"),
    ("handed_off", "핸드오프"),
    ("hint", "힌트"),
    ("host", "호스트"),
    ("hosts", "호스트"),
    ("incidents_a_week", "주당 인시던트"),
    ("incidents_a_week_now", "주당 인시던트(현재)"),
    ("integration", "연동"),
    ("key", "키"),
    ("keys", "키"),
    ("kind", "종류"),
    ("labels", "레이블"),
    ("language", "언어"),
    ("line", "줄"),
    ("line_number", "줄 번호"),
    ("lines_read", "읽은 줄"),
    ("made", "만든 때"),
    ("made by", "만든 이"),
    ("may", "권한"),
    ("measurement", "측정값"),
    ("minutes_firing", "발생 시간(분)"),
    ("minutes_firing_now", "발생 시간(분, 현재)"),
    ("name", "이름"),
    ("note", "비고"),
    ("now", "현재"),
    ("number", "번호"),
    ("offset", "오프셋"),
    ("on", "무엇에"),
    ("on_call", "당직"),
    ("opened", "열림"),
    ("org", "조직"),
    ("origin", "출처"),
    ("owner", "담당"),
    ("paged", "호출"),
    ("partition", "파티션"),
    ("partitions", "파티션"),
    ("phone", "전화"),
    ("points", "포인트"),
    ("points_a_second", "초당 포인트"),
    ("points_per_s_limit", "초당 포인트 한도"),
    ("policy", "정책"),
    ("priority", "우선순위"),
    ("purpose", "목적"),
    ("reason", "이유"),
    ("records_waiting", "대기 레코드"),
    ("replayed", "되돌림"),
    ("replicas", "복제"),
    ("requests", "요청"),
    ("resolved", "해소"),
    ("result", "결과"),
    ("revoked", "폐기"),
    ("role", "역할"),
    ("running", "실행 중"),
    ("says", "설명"),
    ("schedule", "당직표"),
    ("service", "서비스"),
    ("severity", "심각도"),
    ("shard", "샤드"),
    ("shards_after", "이후 샤드"),
    ("shards_before", "이전 샤드"),
    ("since", "시작"),
    ("state", "상태"),
    ("stored", "저장"),
    ("subject", "대상"),
    ("template", "템플릿"),
    ("tenant", "테넌트"),
    ("tenants", "테넌트"),
    ("tests", "시험"),
    ("text", "내용"),
    ("time", "시각"),
    ("title", "제목"),
    ("to", "까지"),
    ("tokens", "토큰"),
    ("topic", "토픽"),
    ("tries", "시도"),
    ("until", "종료"),
    ("value", "값"),
    ("verified_at", "인증한 때"),
    ("via", "경로"),
    ("weight", "가중치"),
    ("what", "무엇"),
    ("why", "이유"),
    ("zone", "영역"),
];

/// Headings that are the same in both languages: names and abbreviations of the field.
#[cfg(test)]
const SAME: [&str; 9] = [
    "id",
    "url",
    "mtta_seconds",
    "mttr_seconds",
    "p50_ms",
    "p99_ms",
    "max_ms",
    "tta_p90_seconds",
    "ttr_p90_seconds",
];

/// The Korean word of a heading; none where it is the same.
pub(crate) fn korean(heading: &str) -> Option<&'static str> {
    let at = HEADINGS.binary_search_by_key(&heading, |(known, _)| known);
    at.ok().map(|at| HEADINGS[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What stands in the brackets behind `opening` in every file below the folder.
    fn literals(folder: &Path, opening: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                literals(&path, opening, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for rest in text.split(opening).skip(1) {
                let list = rest.split(']').next().unwrap();
                found.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_heading_has_a_korean_word() {
        assert!(HEADINGS.is_sorted_by(|one, next| one.0 < next.0));
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/commands");
        let mut found = Vec::new();
        for opening in ["Table::new(&[", "let columns = ["] {
            literals(&folder, opening, &mut found);
        }
        assert!(found.len() > 100, "{found:?}");
        for heading in found {
            let one = korean(&heading).is_some() != SAME.contains(&heading.as_str());
            assert!(one, "`{heading}` has no Korean word");
        }
    }
}
